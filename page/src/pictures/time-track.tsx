import type { ComponentChildren } from 'preact';
import type { Tone } from '../ui/tone.ts';
import type { TimeScale } from './time-scale.ts';

interface TrackProps {
  readonly scale: TimeScale;
  readonly now: number;
  /** `to` undefined: the bar has no end. */
  readonly bars: readonly { readonly from: number; readonly to: number | undefined; readonly tone: Tone }[];
  readonly marks: readonly { readonly at: number | undefined; readonly kind: Mark }[];
}

/** A rotation, the end of a crypto-period, a request in the vault's log. */
export type Mark = 'rotation' | 'period' | 'request';
const SHAPES: Readonly<Record<Mark, string>> = {
  rotation: 'M0-6L6 0L0 6L-6 0Z',
  period: 'M-1.5-9h3v18h-3Z',
  request: 'M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0Z',
};

/** One row of a time line. Positions are attributes in percent, since the content security policy blocks inline styles. */
export function Track({ scale: { place, ticks }, now, bars, marks }: TrackProps) {
  return (
    <svg class="track" aria-hidden="true" focusable="false">
      {ticks.map(({ at }) => (
        <line key={at} class="tick" x1={`${place(at)}%`} x2={`${place(at)}%`} y1="0" y2="100%" />
      ))}
      {bars.map(({ from, to, tone }) => {
        const start = place(from);
        const width = Math.max((to === undefined ? 100 : place(to)) - start, 0.5);

        return (
          <rect
            key={`${from}${tone}`}
            class={`bar tone-${tone}`}
            x={`${start}%`}
            width={`${width}%`}
            y="5"
            height="12"
          />
        );
      })}
      <line class="today" x1={`${place(now)}%`} x2={`${place(now)}%`} y1="0" y2="100%" />
      {marks.map(
        ({ at, kind }) =>
          at !== undefined && (
            <svg key={kind} aria-hidden="true" x={`${place(at)}%`} y="50%" overflow="visible">
              <path class={`mark ${kind}`} d={SHAPES[kind]} />
            </svg>
          ),
      )}
    </svg>
  );
}

/** The dates above the tracks. */
export function Axis({ scale: { place, ticks }, now }: Pick<TrackProps, 'scale' | 'now'>) {
  // Hide a label that the label of today would cover.
  const shown = ticks.filter(({ at }) => Math.abs(place(at) - place(now)) > 14);

  return (
    <svg class="axis" aria-hidden="true" focusable="false">
      {shown.map(({ at, label }) => (
        <text key={at} x={`${place(at)}%`} y="14" text-anchor={anchorAt(place(at))}>
          {label}
        </text>
      ))}
      <text class="now" x={`${place(now)}%`} y="14" text-anchor={anchorAt(place(now))}>
        today
      </text>
    </svg>
  );
}

/** A label at an edge stays inside the picture. */
function anchorAt(place: number): 'start' | 'middle' | 'end' {
  if (place < 8) return 'start';
  return place > 92 ? 'end' : 'middle';
}

const WORDS: Readonly<Record<Mark, string>> = {
  rotation: 'next rotation',
  period: 'end of the crypto-period',
  request: "last request in the vault's log",
};

/** The meaning of the shapes. */
export function MarkLegend({
  kinds,
  children,
}: {
  readonly kinds: readonly Mark[];
  readonly children?: ComponentChildren;
}) {
  return (
    <p class="legend" aria-hidden="true">
      {kinds.map((kind) => (
        <span key={kind}>
          <svg class="swatch" viewBox="-9 -9 18 18" aria-hidden="true" focusable="false">
            <path class={`mark ${kind}`} d={SHAPES[kind]} />
          </svg>
          {WORDS[kind]}
        </span>
      ))}
      {children}
    </p>
  );
}

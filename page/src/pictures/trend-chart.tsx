import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { digits } from '../../../src/keys/short-names.ts';
import type { TrendDay } from '../api/types.ts';
import { duration } from '../ui/time.tsx';
import { dayLabel, type TrendChart, type TrendFigure, trendData, valueAxis } from './trend-series.ts';

/** Pixels. */
const HEIGHT = 200;
const DASHES = [[], [7, 4], [2, 4]] as const;
const PROMISE_DASH = [2, 4];

interface TrendChartProps {
  readonly chart: TrendChart;
  readonly days: readonly TrendDay[];
}

/** A chart of values over days, and a table with the same values. */
export function TrendPicture({ chart, days }: TrendChartProps) {
  const { title, figures, promise } = chart;
  const wordsOf = (value: number) => (chart.unit === 'seconds' ? duration(value) : digits(value));
  const known = days.filter((day) => figures.some(({ of }) => of(day) !== undefined));

  return (
    <figure class="trend">
      <figcaption>{title}</figcaption>
      <ul class="legend">
        {figures.map((figure, index) => (
          <li key={figure.label}>
            <Swatch tone={figure.tone} shape={chart.shape} dash={DASHES[index]} />
            {figure.label} <strong>{latestOf(days, figure, wordsOf)}</strong>
          </li>
        ))}
        {promise && (
          <li>
            <Swatch tone="none" shape="line" dash={PROMISE_DASH} />
            {promise.label} <strong>{wordsOf(promise.value)}</strong>
          </li>
        )}
      </ul>
      {known.length > 0 ? (
        <Plot chart={chart} days={days} wordsOf={wordsOf} />
      ) : (
        <p class="muted">There are no data for these days.</p>
      )}
      {known.length > 0 && (
        <details>
          <summary>In figures</summary>
          <div class="scroll">
            <table>
              <caption class="hidden">{title}</caption>
              <thead>
                <tr>
                  <th scope="col">Day</th>
                  {figures.map(({ label }) => (
                    <th key={label} scope="col">
                      {label}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {known.toReversed().map((day) => (
                  <tr key={day.day}>
                    <th scope="row">{dayLabel(Date.parse(day.day) / 86_400_000)}</th>
                    {figures.map(({ label, of }) => {
                      const value = of(day);
                      return <td key={label}>{value === undefined ? '–' : wordsOf(value)}</td>;
                    })}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </details>
      )}
    </figure>
  );
}

/** The latest known value. */
function latestOf(days: readonly TrendDay[], { of }: TrendFigure, wordsOf: (value: number) => string): string {
  const latest = days.flatMap((day) => of(day) ?? []).at(-1);
  return latest === undefined ? '–' : wordsOf(latest);
}

interface SwatchProps {
  readonly tone: TrendFigure['tone'];
  readonly shape: TrendChart['shape'];
  readonly dash?: readonly number[] | undefined;
}

function Swatch({ tone, shape, dash = [] }: SwatchProps) {
  return (
    <svg class={`swatch tone-${tone}`} viewBox="0 0 20 12" aria-hidden="true" focusable="false">
      {shape === 'bars' ? (
        <rect x="4" width="12" height="12" />
      ) : (
        <line x1="0" x2="20" y1="6" y2="6" stroke-dasharray={dash.join(' ')} />
      )}
    </svg>
  );
}

interface PlotProps extends TrendChartProps {
  readonly wordsOf: (value: number) => string;
}

interface Pointed {
  readonly day: number;
  /** Pixels. */
  readonly left: number;
  readonly isRight: boolean;
}

function Plot({ chart, days, wordsOf }: PlotProps) {
  const frame = useRef<HTMLDivElement>(null);
  const [pointed, setPointed] = useState<Pointed>();
  const scheme = useScheme();
  const data = useMemo(() => trendData(days, chart), [days, chart]);

  useEffect(() => {
    const element = frame.current;
    if (!element) return;

    const plot = new uPlot(optionsOf(chart, data, element, { wordsOf, setPointed }), plotted(chart, data), element);
    const resized = new ResizeObserver(([entry]) => {
      plot.setSize({ width: Math.floor(entry?.contentRect.width ?? 0), height: HEIGHT });
    });
    resized.observe(element);

    return () => {
      resized.disconnect();
      plot.destroy();
    };
  }, [chart, data, scheme]);

  const day = pointed && days[pointed.day];

  return (
    <div class="plot" ref={frame} aria-hidden="true">
      {pointed && day && (
        <p class={`tip ${pointed.isRight ? 'before' : ''}`} style={{ left: `${pointed.left}px` }}>
          <strong>{dayLabel(data[0][pointed.day] ?? 0)}</strong>
          {chart.figures.map((figure) => {
            const value = figure.of(day);
            return (
              <span key={figure.label}>
                {figure.label} {value === undefined ? 'not known' : wordsOf(value)}
              </span>
            );
          })}
        </p>
      )}
    </div>
  );
}

/** Whether the colour scheme is dark. A change draws the chart again, since a canvas does not follow the style sheet. */
function useScheme(): boolean {
  const query = useMemo(() => matchMedia('(prefers-color-scheme: dark)'), []);
  const [isDark, setDark] = useState(query.matches);
  useEffect(() => {
    const changed = () => setDark(query.matches);
    query.addEventListener('change', changed);
    return () => query.removeEventListener('change', changed);
  }, [query]);
  return isDark;
}

function plotted({ promise }: TrendChart, data: ReturnType<typeof trendData>): uPlot.AlignedData {
  return promise ? [...data, data[0].map(() => promise.value)] : data;
}

interface PlotCallbacks {
  readonly wordsOf: (value: number) => string;
  readonly setPointed: (pointed: Pointed | undefined) => void;
}

function optionsOf(
  chart: TrendChart,
  data: ReturnType<typeof trendData>,
  element: HTMLElement,
  { wordsOf, setPointed }: PlotCallbacks,
): uPlot.Options {
  const { figures, unit, shape, promise } = chart;
  const colour = (name: string): string => colourOf(element, name);
  const values = data
    .slice(1)
    .flat()
    .filter((value) => value !== null);
  const { end, ticks } = valueAxis(unit, Math.max(1, promise?.value ?? 0, ...values));
  const first = data[0][0] ?? 0;
  const last = data[0].at(-1) ?? 0;
  const axis = { stroke: colour('muted'), font: '12px system-ui, sans-serif', ticks: { show: false } };
  const grid = { stroke: colour('line'), width: 1 };

  const lines = figures.map(({ tone }, index) => ({
    stroke: colour(tone),
    ...(shape === 'bars'
      ? { fill: colour(tone), width: 0, points: { show: false }, paths: barsOf(index, figures.length) }
      : // A line of durations spans days without a rotation; a line of counts breaks on days without data.
        {
          spanGaps: unit === 'seconds',
          width: 2,
          dash: [...(DASHES[index] ?? [])],
          points: { show: true, size: 5, fill: colour(tone) },
        }),
  }));

  return {
    width: Math.max(200, element.clientWidth),
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, y: false },
    scales: {
      x: { time: false, range: [first - 0.6, last + 0.6] },
      y: unit === 'seconds' ? { distr: 3, range: [1, end] } : { range: [0, end] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 28,
        incrs: [1, 2, 7, 14],
        space: 50,
        values: (_, splits) => splits.map((day) => dayLabel(day)),
      },
      {
        ...axis,
        grid,
        size: 56,
        splits: () => [...ticks],
        // Keep all ticks, since uPlot omits some of a logarithmic axis.
        filter: (_, splits) => splits,
        values: (_, splits) => splits.map(wordsOf),
      },
    ],
    series: [
      {},
      ...lines,
      ...(promise ? [{ stroke: colour('muted'), width: 2, dash: PROMISE_DASH, points: { show: false } }] : []),
    ],
    hooks: {
      setCursor: [
        ({ cursor: { idx, left = -1 }, bbox, width }) => {
          const isInside = typeof idx === 'number' && left >= 0;
          const at = left + bbox.left / devicePixelRatio;
          setPointed(isInside ? { day: idx, left: at, isRight: at > width / 2 } : undefined);
        },
      ],
    },
  };
}

/** Draws the bars of one day side by side. */
function barsOf(index: number, all: number): uPlot.Series.PathBuilder {
  const factory = uPlot.paths.bars;
  if (!factory) throw new Error('uPlot was built without bars.');

  const size = 0.7 / all;

  return factory({
    // Both in days, the unit of the axis.
    disp: {
      x0: { unit: 1, values: (u) => Array.from(u.data[0], (day) => day - 0.35 + index * size) },
      size: { unit: 1, values: (u) => Array.from(u.data[0], () => size) },
    },
  });
}

/** A colour of the style sheet as a canvas takes it. */
function colourOf(element: HTMLElement, name: string): string {
  const probe = document.createElement('i');
  probe.className = `ink-${name}`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

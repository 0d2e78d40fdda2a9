import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { count, digits } from '../../../src/keys/short-names.ts';
import type { FleetRow } from '../api/types.ts';
import type { Tone } from '../ui/tone.ts';
import { HEALTH_WORDS } from '../views/health.tsx';
import { blocksOf, type FleetBlock, type FleetGrid as Grid, gridOf, hitOf } from './fleet-blocks.ts';

interface FleetGridProps {
  /** The accounts that match every filter except health and cause. */
  readonly rows: readonly FleetRow[];
  readonly health: string | undefined;
  readonly cause: string | undefined;
  readonly choose: (health: string, cause: string) => void;
}

/**
 * A square for each account, with the colour of its health. A click filters the list below, which shows the same
 * accounts.
 */
export function FleetGrid({ rows, health, cause, choose }: FleetGridProps) {
  const frame = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [hovered, setHovered] = useState('');

  useEffect(() => {
    if (!frame.current) return;
    const resized = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)));
    resized.observe(frame.current);
    return () => resized.disconnect();
  }, []);

  const blocks = useMemo(() => blocksOf(rows), [rows]);
  const grid = useMemo(() => gridOf(blocks, width), [blocks, width]);
  const isChosen = ({ state, cause: id }: FleetBlock) => health === state && cause === id;
  const isDimmed = (block: FleetBlock) =>
    (health !== undefined && health !== block.state) || (cause !== undefined && cause !== block.cause);
  const press = (block: FleetBlock) => (isChosen(block) ? choose('', '') : choose(block.state, block.cause ?? ''));
  const hit = ({ offsetX, offsetY }: MouseEvent) => hitOf(grid, blocks, offsetX, offsetY);
  const pressAt = (event: MouseEvent) => {
    const found = hit(event);
    if (found) press(found.block);
  };

  return (
    <div class="fleet-grid" ref={frame}>
      <svg
        class="squares"
        width={width}
        height={grid.height}
        aria-hidden="true"
        focusable="false"
        onClick={pressAt}
        onMouseMove={(event) => setHovered(wordsOf(hit(event)))}
        onMouseLeave={() => setHovered('')}
      >
        {blocks.map((block, index) => (
          <path
            key={`${block.state}${block.cause}${block.words}`}
            class={`square ${block.state === 'Serving' ? 'serving' : ''} tone-${toneOf(block)}${isDimmed(block) ? ' dimmed' : ''}`}
            d={squaresOf(grid, index, toneOf(block))}
          />
        ))}
      </svg>
      <p class="legend" aria-hidden="true">
        {hovered || (grid.perSquare > 1 ? `A square is ${digits(grid.perSquare)} accounts` : 'A square is an account')}
      </p>
      <fieldset class="actions">
        <legend class="hidden">Accounts by health and cause</legend>
        {blocks.map((block) => (
          <button
            key={`${block.state}${block.cause}${block.words}`}
            type="button"
            class="small block"
            aria-pressed={isChosen(block)}
            onClick={() => press(block)}
          >
            <svg class="swatch" viewBox="0 0 12 12" aria-hidden="true" focusable="false">
              <path
                class={`square ${block.state === 'Serving' ? 'serving' : ''} tone-${toneOf(block)}`}
                d={shapeOf(toneOf(block), 0, 0, 12)}
              />
            </svg>
            {digits(block.rows.length)} {HEALTH_WORDS[block.state][1]}
            {block.words && <span class="muted"> {block.words}</span>}
          </button>
        ))}
      </fieldset>
    </div>
  );
}

const toneOf = ({ state }: FleetBlock): Tone => HEALTH_WORDS[state][0];

function wordsOf(hit: ReturnType<typeof hitOf>): string {
  if (!hit) return '';
  const { block, row } = hit;
  const of = `${HEALTH_WORDS[block.state][1]}${block.words ? `: ${block.words}` : ''}`;
  return `${row?.name ?? count(block.rows.length, 'account')} · ${of}`;
}

function squaresOf({ cell, columns, spans }: Grid, index: number, tone: Tone): string {
  const { first = 0, squares = 0 } = spans[index] ?? {};
  const shapes = Array.from({ length: squares }, (_, n) => {
    const at = first + n;
    return shapeOf(tone, (at % columns) * cell, Math.floor(at / columns) * cell, cell - (cell > 8 ? 2 : 1));
  });
  return shapes.join('');
}

/** A full, half or hollow square, so that its meaning does not depend on colour alone. */
function shapeOf(tone: Tone, x: number, y: number, size: number): string {
  const square = `M${x} ${y}h${size}v${size}h-${size}z`;
  if (tone === 'warn') return `M${x} ${y}l${size} ${size}h-${size}z`;
  if (tone !== 'none' || size < 6) return square;
  return `${square}M${x + 2} ${y + 2}v${size - 4}h${size - 4}v-${size - 4}z`;
}

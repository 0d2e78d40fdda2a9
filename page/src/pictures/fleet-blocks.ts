import { HEALTH_STATES, type HealthState } from '../../../src/status/health-states.ts';
import type { FleetRow } from '../api/types.ts';
import { causeOf } from '../views/sort-fleet.ts';

/** Accounts of the same health for the same cause. */
export interface FleetBlock {
  readonly state: HealthState;
  /** Id of the cause; undefined: the cause is unknown, or the block has the rarest causes together. */
  readonly cause: string | undefined;
  /** The cause in words; may be empty. */
  readonly words: string;
  readonly rows: readonly FleetRow[];
}

/** Maximum number of blocks of a health state. The rarest causes share the last one. */
const MOST_CAUSES = 6;

/** The fleet in blocks: worst health first, then the cause of most accounts. */
export function blocksOf(rows: readonly FleetRow[]): readonly FleetBlock[] {
  return HEALTH_STATES.flatMap((state) => {
    const byCause = Map.groupBy(
      rows.filter(({ health }) => health.state === state),
      ({ health }) => health.cause?.id,
    );
    const blocks = [...byCause]
      .map(([cause, of]) => ({ state, cause, words: of[0] && cause !== undefined ? causeOf(of[0]) : '', rows: of }))
      .sort((a, b) => b.rows.length - a.rows.length);
    if (blocks.length <= MOST_CAUSES) return blocks;

    const others = blocks.slice(MOST_CAUSES - 1).flatMap((block) => block.rows);

    return [...blocks.slice(0, MOST_CAUSES - 1), { state, cause: undefined, words: 'other causes', rows: others }];
  });
}

/** A grid of squares that fits a width. Sizes in pixels. */
export interface FleetGrid {
  readonly cell: number;
  readonly columns: number;
  readonly height: number;
  /** Accounts per square. */
  readonly perSquare: number;
  /** For each block, its first square and how many it has. */
  readonly spans: readonly { readonly first: number; readonly squares: number }[];
}

const CELL = { least: 5, most: 22 };
/** Maximum height of the grid. */
const HEIGHT = 220;

export function gridOf(blocks: readonly FleetBlock[], width: number): FleetGrid {
  const accounts = blocks.reduce((sum, { rows }) => sum + rows.length, 0);
  const fits = (cell: number): number => Math.max(1, Math.floor(width / cell)) * Math.max(1, Math.floor(HEIGHT / cell));
  let cell = CELL.most;

  while (cell > CELL.least && fits(cell) - blocks.length < accounts) cell -= 1;

  const columns = Math.max(1, Math.floor(width / cell));

  // Reserve one square per block, since the last square of each block may be partly filled.
  const perSquare = Math.max(1, Math.ceil(accounts / Math.max(1, fits(cell) - blocks.length)));
  let first = 0;
  const spans = blocks.map(({ rows }) => {
    const span = { first, squares: Math.ceil(rows.length / perSquare) };
    first += span.squares;
    return span;
  });

  return { cell, columns, height: Math.ceil(first / columns) * cell, perSquare, spans };
}

/** The block and the account at a point of the grid. */
export function hitOf(
  { cell, columns, spans, perSquare }: FleetGrid,
  blocks: readonly FleetBlock[],
  x: number,
  y: number,
): { readonly block: FleetBlock; readonly row: FleetRow | undefined } | undefined {
  const column = Math.floor(x / cell);
  if (column < 0 || column >= columns) return undefined;

  const square = Math.floor(y / cell) * columns + column;
  const index = spans.findIndex(({ first, squares }) => square >= first && square < first + squares);
  const block = blocks[index];
  const span = spans[index];

  return block && span && { block, row: perSquare === 1 ? block.rows[square - span.first] : undefined };
}

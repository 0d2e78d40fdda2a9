import { formatCsvLine } from '../../../src/formats/csv.ts';
import { inWords, keyLabel } from '../../../src/keys/short-names.ts';
import { HEALTH_STATES } from '../../../src/status/health-states.ts';
import type { FleetRow } from '../api/types.ts';

/** Why an account is not healthy, in a few words; empty if unknown. */
export function causeOf({ health: { cause } }: FleetRow): string {
  return cause ? `${inWords(cause.reason)}${cause.label ? `: ${cause.label}` : ''}` : '';
}

/** The columns of the fleet, with their sort order and their values in the CSV. */
export const FLEET_COLUMNS = {
  account: ({ name }) => name,
  health: ({ health }) => health.state,
  since: ({ health }) => health.since ?? '',
  cause: causeOf,
  key: ({ key }) => (key ? keyLabel(key) : ''),
  version: ({ version }) => version ?? '',
  group: ({ resourceGroup }) => resourceGroup,
  region: ({ region }) => region,
} as const satisfies Record<string, (row: FleetRow) => string>;
export type FleetColumn = keyof typeof FLEET_COLUMNS;
export const COLUMN_NAMES = Object.keys(FLEET_COLUMNS) as FleetColumn[];

/** `health`, or `-health` for the reverse order. */
export interface FleetSort {
  readonly column: FleetColumn;
  readonly isDescending: boolean;
}

export function parseSort(text: string | null): FleetSort {
  const name = text?.replace(/^-/, '');
  const column = COLUMN_NAMES.find((one) => one === name);
  return column ? { column, isDescending: text?.startsWith('-') === true } : { column: 'health', isDescending: false };
}

/** Rows sorted by a column, then by name. Health is worst first; empty values come last. */
export function sortFleet(rows: readonly FleetRow[], { column, isDescending }: FleetSort): readonly FleetRow[] {
  const textOf = FLEET_COLUMNS[column];
  const rank = (row: FleetRow): string =>
    column === 'health' ? String(HEALTH_STATES.indexOf(row.health.state)) : textOf(row).toLowerCase();
  const sign = isDescending ? -1 : 1;

  return rows
    .map((row) => ({ row, by: rank(row) }))
    .sort((a, b) => {
      if (a.by === b.by) return a.row.name < b.row.name ? -1 : 1;
      if (a.by === '' || b.by === '') return a.by === '' ? 1 : -1;
      return a.by < b.by ? -sign : sign;
    })
    .map(({ row }) => row);
}

/** Rows as CSV: times in UTC, versions and ARM ids whole. */
export function fleetCsv(rows: readonly FleetRow[]): string {
  const lines = [
    [...COLUMN_NAMES, 'subscription', 'id'],
    ...rows.map((row) => [...COLUMN_NAMES.map((name) => FLEET_COLUMNS[name](row)), row.subscription, row.id]),
  ];
  return lines.map((cells) => `${formatCsvLine(cells)}\r\n`).join('');
}

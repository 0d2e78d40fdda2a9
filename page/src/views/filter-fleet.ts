import { keyLabel } from '../../../src/keys/short-names.ts';
import type { FleetRow } from '../api/types.ts';

/** The filters. A row has to match each of them. `q` searches names, vaults, regions, subscriptions and tags. */
export type FleetQuery = Readonly<Partial<Record<'q' | 'health' | 'key' | 'cause', string | undefined>>>;

/** A row with the text that a search uses, prepared once instead of at every key press. */
interface PreparedRow {
  readonly row: FleetRow;
  readonly text: string;
}

export function prepare(rows: readonly FleetRow[]): readonly PreparedRow[] {
  return rows.map((row) => ({
    row,
    text: [
      row.name,
      row.resourceGroup,
      row.subscription,
      row.region,
      row.key ? keyLabel(row.key) : '',
      row.version ?? '',
      row.health.state,
      row.health.cause?.reason ?? '',
      ...Object.entries(row.tags).map(([name, value]) => `${name}=${value}`),
    ]
      .join(' ')
      .toLowerCase(),
  }));
}

export function filterFleet(rows: readonly PreparedRow[], query: FleetQuery): readonly FleetRow[] {
  const words = (query.q ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  const isAsked = (wanted: string | undefined, ...values: readonly (string | undefined)[]) =>
    !wanted || values.some((value) => value?.toLowerCase() === wanted.toLowerCase());

  return rows.flatMap(({ row, text }) => {
    const { health, key } = row;
    const fits =
      words.every((word) => text.includes(word)) &&
      isAsked(query.health, health.state) &&
      isAsked(query.key, key && keyLabel(key)) &&
      isAsked(query.cause, health.cause?.id, health.cause?.reason);
    return fits ? [row] : [];
  });
}

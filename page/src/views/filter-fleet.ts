import type { FleetRow } from '../api/types.ts';
import { keyLabel } from '../names.ts';

/** What is asked for; of every field that is given, a row has to fit. */
export type FleetQuery = Readonly<
  Partial<Record<'q' | 'health' | 'key' | 'vault' | 'subscription' | 'region' | 'tag' | 'cause', string | undefined>>
>;

/** A row with what a search looks through, made once and not with every key that is pressed. */
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
  const { health, vault, subscription, region, cause } = lowered(query);
  const key = query.key?.toLowerCase();
  const tag = query.tag;
  return rows.flatMap(({ row, text }) => {
    const fits =
      words.every((word) => text.includes(word)) &&
      (!health || row.health.state.toLowerCase() === health) &&
      (!vault || row.vault?.toLowerCase() === vault) &&
      (!subscription || row.subscription.toLowerCase() === subscription) &&
      (!region || row.region.toLowerCase() === region) &&
      (!key || (row.key !== undefined && keyLabel(row.key).toLowerCase() === key)) &&
      (!tag || Object.entries(row.tags).some(([name, value]) => `${name}=${value}` === tag)) &&
      (!cause || [row.health.cause?.id, row.health.cause?.reason].some((one) => one?.toLowerCase() === cause));
    return fits ? [row] : [];
  });
}

const lowered = ({ health, vault, subscription, region, cause }: FleetQuery): FleetQuery =>
  Object.fromEntries(
    Object.entries({ health, vault, subscription, region, cause }).map(([name, value]) => [name, value?.toLowerCase()]),
  );

/** Longest list of tags to choose from; the search finds the rest. */
const MOST_TAGS = 200;

/** What there is to choose from. */
export function choicesOf(rows: readonly FleetRow[]) {
  const sorted = (values: readonly (string | undefined)[]) =>
    [...new Set(values.filter((value) => value !== undefined))].sort();
  return {
    keys: sorted(rows.map(({ key }) => key)),
    vaults: sorted(rows.map(({ vault }) => vault)),
    subscriptions: sorted(rows.map(({ subscription }) => subscription)),
    regions: sorted(rows.map(({ region }) => region)),
    tags: sorted(rows.flatMap(({ tags }) => Object.entries(tags).map(([name, value]) => `${name}=${value}`))).slice(
      0,
      MOST_TAGS,
    ),
  };
}

import { z } from 'zod';
import { ACCOUNT_ID, encodeTableKey, formatAccountRow } from '../index/fleet-keys.ts';
import { createOptional, type FleetTable, formatProperties } from '../index/fleet-table-client.ts';
import type { UseRow } from '../index/use-row.ts';

const MOVED = z.object({
  account: ACCOUNT_ID,
  scope: createOptional(z.string()),
  location: z.string(),
  mode: z.enum(['pinned', 'automatic']),
  wave: createOptional(z.string()),
});
/** A use for which a worker of a re-key order started a PATCH. */
export type MovedUse = Readonly<z.output<typeof MOVED>>;

export type MovedUses = ReturnType<typeof createMovedUses>;

/**
 * Uses that each re-key order moved, by the order's id: a rollback covers only such uses. A worker adds a use before
 * its PATCH, so that a rollback depends on no row of the work zone. Methods throw the SDK's errors.
 *
 * @param table of the control zone
 */
export function createMovedUses(table: Pick<FleetTable, 'rows' | 'write'>) {
  return {
    async *of(order: string): AsyncIterable<MovedUse> {
      for await (const row of table.rows(partitionOf(order))) {
        // Throws on a damaged row: a rollback must not miss a use.
        yield MOVED.parse(row);
      }
    },
    /** Idempotent. */
    put: (order: string, use: MovedUse) =>
      table.write([{ ...keysOf(order, use), properties: formatProperties(use, Object.keys(MOVED.shape)) }]),
    /** Drops a use after Azure rejected its PATCH. */
    drop: (order: string, use: MovedUse) => table.write([keysOf(order, use)]),
  };
}

function keysOf(order: string, use: Pick<UseRow, 'account' | 'scope'>) {
  return { partitionKey: partitionOf(order), rowKey: formatNameOfUse(use) };
}

/** Returns a use's name, which is unique within a key. */
export function formatNameOfUse({ account, scope }: Pick<UseRow, 'account' | 'scope'>): string {
  return formatAccountRow(account, scope);
}

/** Returns the names of all uses that an order moved. */
export async function collectNames(uses: AsyncIterable<MovedUse>): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  for await (const use of uses) names.add(formatNameOfUse(use));
  return names;
}

/** Returns whether an order covers a use: a rollback covers only the uses that the order in `only` moved. */
export async function createCoverage(
  { only }: { readonly only?: string | undefined },
  moved: Pick<MovedUses, 'of'>,
): Promise<(use: Pick<UseRow, 'account' | 'scope'>) => boolean> {
  const names = only === undefined ? undefined : await collectNames(moved.of(only));
  return (use) => names?.has(formatNameOfUse(use)) ?? true;
}

function partitionOf(order: string): string {
  return `order|${encodeTableKey(order)}`;
}

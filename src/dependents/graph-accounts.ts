import { untilAborted } from '../azure/deadline.ts';
import { waveOfTags } from '../fleet/read-use.ts';
import type { AccountsOfKey } from '../fleet/unindexed-accounts.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { GraphResource, ResourceGraph } from './resource-graph-client.ts';
import { seenUse } from './resource-graph-query.ts';

const TYPE = 'microsoft.storage/storageaccounts';

/** Keys that are asked about while a query is under way, and the answer to the next one. */
interface Batch {
  readonly keys: ManagedKey[];
  readonly rows: Promise<readonly GraphResource[]>;
}

/**
 * Storage accounts that use a key themselves, as Resource Graph shows all that the identity sees. It admits 15 queries in 5 s:
 * there is one at a time, and keys that rotate together share one.
 */
export function graphAccounts(graph: ResourceGraph): AccountsOfKey {
  let waiting: Batch | undefined;
  let running: Promise<unknown> = Promise.resolve();
  const rowsOf = (key: ManagedKey): Promise<readonly GraphResource[]> => {
    if (!waiting) {
      const keys: ManagedKey[] = [];
      const query = async () => {
        waiting = undefined;
        const rows: GraphResource[] = [];
        for await (const row of graph.query(queryFor(keys))) rows.push(row);
        return rows;
      };
      waiting = { keys, rows: running.then(query) };
      running = waiting.rows.catch(() => {});
    }
    waiting.keys.push(key);
    return waiting.rows;
  };
  return {
    async *using(key, signal) {
      const asking = rowsOf(key);
      if (!(await untilAborted(asking, signal))) signal?.throwIfAborted();
      for (const { id, location, tags = {}, properties } of await asking) {
        const use = seenUse(properties, key);
        if (use) yield { id, location, ...waveOfTags(tags), ...use };
      }
    },
  };
}

function queryFor(keys: readonly ManagedKey[]): string {
  const containsAny = (texts: readonly string[]) =>
    `where ${[...new Set(texts)].map((text) => `tostring(properties) contains '${text}'`).join(' or ')}`;
  return [
    'resources',
    `where type =~ '${TYPE}'`,
    containsAny(keys.map(({ vault }) => vault.uri.slice('https://'.length))),
    containsAny(keys.map(({ name }) => name)),
    'project id, name, type, location, subscriptionId, tags, properties',
    'order by id asc',
  ].join(' | ');
}

import { KEY_ID, keyPartition } from './fleet-keys.ts';
import type { FleetTable } from './fleet-table-client.ts';

const SEEN = 'seen';
/** Longest state, in characters: two versions and a word. */
const MOST = 200;

/**
 * Last observed states of Managed HSM keys, in the table of the fleet index. A missing or wrong state costs only an
 * extra read. Methods throw the SDK's errors.
 */
interface SeenKeys {
  /** Returns the states by key identifier in lower case. */
  all(): Promise<ReadonlyMap<string, string>>;
  put(key: string, state: string): Promise<void>;
}

export function createSeenKeys(table: Pick<FleetTable, 'rows' | 'write'>): SeenKeys {
  return {
    async all() {
      const seen = new Map<string, string>();
      for await (const { rowKey, key, state } of table.rows(SEEN)) {
        const id = KEY_ID.safeParse(key).data;
        if (id && keyPartition(id) === rowKey && typeof state === 'string') seen.set(id.toLowerCase(), state);
      }
      return seen;
    },
    put: (key, state) =>
      table.write([
        { partitionKey: SEEN, rowKey: keyPartition(key), properties: { key, state: state.slice(0, MOST) } },
      ]),
  };
}

import { formatKeyIdentifier, parseKeyIdentifier } from '../keys/key-identifier.ts';
import { keyPartition } from './fleet-keys.ts';
import type { FleetTable } from './fleet-rows.ts';

/** Keys with uses in the fleet index. Errors are the SDK's. */
export interface KnownKeys {
  /** Identifiers of the keys of a vault, by name. @param most of them */
  ofVault(vaultUri: string, most: number): Promise<string[]>;
}

export function createKnownKeys(table: FleetTable): KnownKeys {
  return {
    async ofVault(vaultUri, most) {
      const first = keyPartition(`${vaultUri}/keys/-`).slice(0, -1);
      // Key names have no character after `~`.
      const behind = `${first}~`;
      const keys = new Map<string, string>();
      for (let after = first; keys.size < most; ) {
        const rows = await table.firstRows(after, behind);
        for (const { partitionKey, key } of rows) {
          const parsed = typeof key === 'string' ? parseKeyIdentifier(key) : undefined;
          if (parsed && !keys.has(partitionKey)) keys.set(partitionKey, formatKeyIdentifier(parsed));
        }
        const last = rows.at(-1)?.partitionKey;
        if (last === undefined) break;
        after = last;
      }
      return [...keys.values()].slice(0, most);
    },
  };
}

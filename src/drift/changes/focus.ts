import pMap from 'p-map';
import { comparableId } from '../../azure/resource-id.ts';
import { isConcerned, type ResourceChange } from '../../events/resource-event.ts';
import type { KnownKeys } from '../../fleet/fleet-index.ts';
import type { UseRow, UseRows } from '../../fleet/use-row.ts';
import { sameKeyName } from '../../keys/key-identifier.ts';
import type { ManagedVault, ManagedVaults } from '../../keys/managed-vaults.ts';

/** Keys of one vault whose users are looked up. */
const MOST_KEYS = 1_000;
const CONCURRENCY = 8;

/** What some changes concern. Resources are compared by {@link resourceOf}. */
export interface Focus {
  /** ARM ids of accounts by resource; `changed`: the account itself has changed, so that its scopes are listed. */
  readonly accounts: ReadonlyMap<string, { readonly id: string; readonly changed: boolean }>;
  /** Vaults whose own checks run, by resource. */
  readonly vaults: ReadonlyMap<string, ManagedVault>;
  /** Keys that the app revoked or restored, by resource. */
  readonly keys: ReadonlySet<string>;
  /** URIs of vaults with keys that the index says these accounts use. */
  readonly vaultUris: ReadonlySet<string>;
  /** Resources that each change concerns, by the id of its event. */
  readonly resourcesOf: ReadonlyMap<string, ReadonlySet<string>>;
}

export interface FocusPorts {
  readonly settings: { readonly vaults: ManagedVaults };
  readonly knownKeys: KnownKeys;
  readonly useRows: Pick<UseRows, 'of'>;
}

/** The account, vault, identity or key that an id names or is below: `…/storageAccounts/a` of an encryption scope. */
export function resourceOf(id: string): string {
  const most = id.startsWith('https:') ? 5 : 9;
  return comparableId(id).split('/').slice(0, most).join('/');
}

/** Finds what changes concern; the index says which accounts use a vault or an identity. Errors are the SDK's. */
export async function focusOf(changes: readonly ResourceChange[], ports: FocusPorts): Promise<Focus> {
  const { all } = ports.settings.vaults;
  const accounts = new Map<string, { id: string; changed: boolean }>();
  const vaults = new Map<string, ManagedVault>();
  const keys = new Set<string>();
  const vaultUris = new Set<string>();
  const resourcesOf = new Map<string, ReadonlySet<string>>();
  const rows = new Map<ManagedVault, Promise<readonly UseRow[]>>();
  const rowsOf = (vault: ManagedVault): Promise<readonly UseRow[]> => {
    const reading = rows.get(vault) ?? readRows(vault, ports);
    rows.set(vault, reading);
    return reading;
  };
  for (const { id, concern, at } of changes) {
    const isAt = (resource: string | undefined) => resource !== undefined && isConcerned(resource, at);
    const own = concern === 'vault' || concern === 'group' ? all.filter((vault) => isAt(vault.id)) : [];
    for (const vault of own) vaults.set(resourceOf(vault.id), vault);
    const resources = new Set(own.map((vault) => resourceOf(vault.id)));
    resourcesOf.set(id, resources);
    if (concern === 'account') {
      accounts.set(resourceOf(at), { id: at, changed: true });
      resources.add(resourceOf(at));
      continue;
    }
    if (concern === 'key') {
      keys.add(resourceOf(at));
      resources.add(resourceOf(at));
    }
    const around = concern === 'key' ? all.filter(({ uri }) => at.startsWith(`${uri}/`)) : all;
    for (const vault of concern === 'vault' ? own : around) {
      for (const { key, account, identity } of await rowsOf(vault)) {
        if (!own.includes(vault) && !isAt(identity) && !isAt(account) && !sameKeyName(key, at)) continue;
        const resource = resourceOf(account);
        accounts.set(resource, accounts.get(resource) ?? { id: account, changed: false });
        resources.add(resource);
        vaultUris.add(vault.uri);
      }
    }
  }
  return { accounts, vaults, keys, vaultUris, resourcesOf };
}

async function readRows(vault: ManagedVault, { knownKeys, useRows }: FocusPorts): Promise<readonly UseRow[]> {
  const keys = await knownKeys.ofVault(vault.uri, MOST_KEYS);
  const lists = await pMap(
    keys,
    async (key) => {
      const rows: UseRow[] = [];
      for await (const row of useRows.of(key)) rows.push(row);
      return rows;
    },
    { concurrency: CONCURRENCY },
  );
  return lists.flat();
}

import pMap from 'p-map';
import { comparableId, parseResourceId, type ResourceId } from '../../azure/resource-id.ts';
import { isConcerned, type ResourceChange } from '../../events/resource-event.ts';
import type { KnownKeys } from '../../fleet/fleet-index.ts';
import type { UseRow, UseRows } from '../../fleet/use-row.ts';
import { sameKeyName } from '../../keys/key-identifier.ts';
import type { ManagedVault } from '../../keys/managed-vaults.ts';
import type { Settings } from '../../settings/settings.ts';

/** Maximum number of keys per vault whose users are read. */
const MOST_KEYS = 1_000;
const CONCURRENCY = 8;

/** The subjects of some changes. {@link resourceOf} makes resources comparable. */
export interface Focus {
  /** ARM ids of accounts by resource. `changed`: the account itself changed, so its scopes are listed. */
  readonly accounts: ReadonlyMap<string, { readonly id: string; readonly changed: boolean }>;
  /** Vaults to check, by resource. */
  readonly vaults: ReadonlyMap<string, ManagedVault>;
  /** Keys that the app revoked or restored, by resource. */
  readonly keys: ReadonlySet<string>;
  /** Resources of other services, by resource. */
  readonly keyUsers: ReadonlyMap<string, ResourceId>;
  /** URIs of vaults with keys that these accounts use, according to the index. */
  readonly vaultUris: ReadonlySet<string>;
  /** Subjects of each change, by the id of its event. */
  readonly resourcesOf: ReadonlyMap<string, ReadonlySet<string>>;
}

export interface FocusPorts {
  readonly settings: Pick<Settings, 'vaults' | 'otherDependents'>;
  readonly knownKeys: KnownKeys;
  readonly useRows: Pick<UseRows, 'of'>;
}

/** The account, vault, identity or key that contains an id: `…/storageAccounts/a` for an encryption scope. */
export function resourceOf(id: string): string {
  const most = id.startsWith('https:') ? 5 : 9;
  return comparableId(id).split('/').slice(0, most).join('/');
}

/**
 * Finds the subjects of changes. The index contains the accounts of a vault or an identity. Throws the SDK's errors.
 */
export async function focusOf(changes: readonly ResourceChange[], ports: FocusPorts): Promise<Focus> {
  const { otherDependents, vaults: managed } = ports.settings;
  const { all } = managed;
  const accounts = new Map<string, { id: string; changed: boolean }>();
  const vaults = new Map<string, ManagedVault>();
  const keys = new Set<string>();
  const keyUsers = new Map<string, ResourceId>();
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
    const own = /^(vault|group|perimeter)$/.test(concern) ? all.filter((vault) => isAt(vault.id)) : [];
    for (const vault of own) vaults.set(resourceOf(vault.id), vault);
    const resources = new Set(own.map((vault) => resourceOf(vault.id)));
    resourcesOf.set(id, resources);
    const keyUser = concern === 'keyUser' && otherDependents !== 'none' ? parseResourceId(at) : undefined;
    if (keyUser) keyUsers.set(resourceOf(at), keyUser);
    if (concern === 'account') accounts.set(resourceOf(at), { id: at, changed: true });
    if (concern === 'key') keys.add(resourceOf(at));
    if (/^(account|key|keyUser)$/.test(concern)) resources.add(resourceOf(at));
    if (concern === 'account' || concern === 'keyUser') continue;
    const around = concern === 'key' ? all.filter(({ uri }) => at.startsWith(`${uri}/`)) : all;
    for (const vault of concern === 'vault' ? own : around) {
      for (const { key, account, identity } of await rowsOf(vault)) {
        if (!own.includes(vault) && !isAt(identity) && !isAt(account) && !sameKeyName(key, at)) continue;
        vaultUris.add(vault.uri);
        // No check of an account depends on the perimeter.
        if (concern === 'perimeter') continue;
        const resource = resourceOf(account);
        accounts.set(resource, accounts.get(resource) ?? { id: account, changed: false });
        resources.add(resource);
      }
    }
  }
  return { accounts, vaults, keys, keyUsers, vaultUris, resourcesOf };
}

async function readRows(vault: ManagedVault, { knownKeys, useRows }: FocusPorts): Promise<readonly UseRow[]> {
  const keys = await knownKeys.ofVault(vault.uri, MOST_KEYS);
  return (await pMap(keys, (key) => collect(useRows.of(key)), { concurrency: CONCURRENCY })).flat();
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

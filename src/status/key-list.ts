import pMap from 'p-map';
import { abortAfter } from '../azure/deadline.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { ReadCache } from '../azure/read-cache.ts';
import { getKnown } from '../azure/read-or-why.ts';
import type { KnownKeys } from '../index/fleet-index.ts';
import type { KeyCatalog } from '../keys/key-client.ts';
import { readKeysRight } from '../keys/key-rights.ts';
import { createManagedKey, type ManagedKey, type ManagedVault, type ManagedVaults } from '../keys/managed-vaults.ts';
import type { ListedVault } from './key-schemas.ts';
import { readKeySummary } from './key-summary.ts';
import type { KeyViewPorts } from './key-view.ts';
import { listUnreadViews, readInTime } from './read-in-time.ts';

const PAGE = 50;
/** Maximum number of keys from the index for a vault that the app cannot list. */
const MOST_KNOWN = 1_000;
/** Time to live of the key list of a vault, in milliseconds. */
const NAMES_MS = 60_000;
/** Deadlines for the lists of all vaults and for the keys of a page, in milliseconds. */
const LIST_MS = 8_000;
const PAGE_MS = 11_000;

export type ListKeysPorts = KeyViewPorts & {
  readonly settings: { readonly vaults: Pick<ManagedVaults, 'key'> };
  readonly keyCatalog: Pick<KeyCatalog, 'names'>;
  readonly knownKeys: KnownKeys;
};

interface KeysAsked {
  readonly vaults: readonly ManagedVault[];
  readonly reaches: (key: ManagedKey) => boolean;
  /** `vault/key` in lower case; the key may no longer exist. */
  readonly after?: string | undefined;
  /** Maximum number of keys, and deadline for reading them in milliseconds. */
  readonly most?: number;
  readonly ms?: number;
}

/** Lists the keys of managed vaults, page by page. One lister per instance, since it caches the lists. */
export class KeyLister {
  readonly #names = new ReadCache<readonly string[]>(NAMES_MS);
  readonly #inUse = new ReadCache<readonly string[]>(NAMES_MS);

  /** Invalidates the cached list of a vault, which may have a new key. */
  forget({ uri }: Pick<ManagedVault, 'uri'>): void {
    this.#names.invalidate(uri);
  }

  /** Never throws: `unread` has the failed reads. */
  async list({ vaults, reaches, after = '', most = PAGE, ms = PAGE_MS }: KeysAsked, ports: ListKeysPorts) {
    const listed = await abortAfter(
      (signal) => pMap(vaults, (vault) => this.#list(vault, ports, signal), { concurrency: CONCURRENCY }),
      LIST_MS,
    );
    const all = listed.flatMap(({ keys }) => keys).filter(reaches);
    const rest = all.filter((key) => placeOf(key) > after).sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
    const page = rest.slice(0, most);
    const value = await abortAfter(
      (signal) => pMap(page, (key) => readKeySummary(key, ports, signal), { concurrency: CONCURRENCY }),
      ms,
    );
    const last = page.at(-1);

    /** Last key of the page as `vault/key`; absent: this is the last page. */
    const next = last && rest.length > page.length ? placeOf(last) : undefined;

    return { value, vaults: listed.map(({ view }) => view), next };
  }

  /**
   * Keys that the vault lists, and keys in use according to the index: deleted keys, or every key of an unreadable
   * vault.
   */
  async #list(
    vault: ManagedVault,
    { keyCatalog, knownKeys, settings, now }: ListKeysPorts,
    signal: AbortSignal,
  ): Promise<{ readonly keys: readonly ManagedKey[]; readonly view: ListedVault }> {
    const what = { resource: vault.id, what: 'the keys of the vault', action: readKeysRight(vault) };
    const [names, used] = await Promise.all([
      readInTime(what, () => this.#names.read(vault.uri, () => keyCatalog.names(vault), now), signal),
      readInTime(what, () => this.#inUse.read(vault.uri, () => knownKeys.ofVault(vault.uri, MOST_KNOWN), now), signal),
    ]);
    const keys = [
      ...(getKnown(used)?.value ?? []).flatMap((id) => settings.vaults.key(id) ?? []),
      // Last, so the vault's spelling of a key wins.
      ...(getKnown(names)?.value ?? []).map((name) => createManagedKey(vault, name)),
    ];

    const [unread] = listUnreadViews(names);
    const view = { vault: vault.name, readOn: getKnown(names)?.readOn.toISOString(), unread };

    return { keys: [...new Map(keys.map((key) => [placeOf(key), key])).values()], view };
  }
}

function placeOf({ vault, name }: ManagedKey): string {
  return `${vault.name}/${name}`.toLowerCase();
}

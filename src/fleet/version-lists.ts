import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';

/**
 * Maximum age of a version list. An older list can only move a use forwards, at worst to the last version but one.
 * Milliseconds.
 */
const LIST_MS = 5_000;
/** A plan needs a list that is newer than this, so that the list is valid until the PATCH. Milliseconds. */
const RENEW_MS = 3_000;

type Versions = readonly KeyVersion[];

/** Version lists of keys, which all passes of an instance share. */
export class VersionLists {
  readonly #keys: { listVersions(key: ManagedKey): Promise<Versions> };
  readonly #now: () => Date;
  readonly #known = new Map<string, { readonly at: number; readonly list: Promise<Versions> }>();
  /** Start of each list. */
  readonly #begunAt = new WeakMap<Versions, number>();

  constructor(keys: { listVersions(key: ManagedKey): Promise<Versions> }, now: () => Date) {
    this.#keys = keys;
    this.#now = now;
  }

  /** Returns a list that is at most 3 s old and began after `since`. Throws the SDK's errors. */
  list(key: ManagedKey, since: Date): Promise<Versions> {
    const known = this.#known.get(key.id);
    const at = this.#now().getTime();
    if (known && at - known.at < RENEW_MS && known.at >= since.getTime()) return known.list;
    const list = this.#keys.listVersions(key);
    this.#known.set(key.id, { at, list });
    list.then(
      (versions) => this.#begunAt.set(versions, at),
      () => this.#known.delete(key.id),
    );
    return list;
  }

  /** Returns whether these list objects are still at most 5 s old. */
  areCurrent(lists: readonly Versions[]): boolean {
    const nowMs = this.#now().getTime();
    return lists.every((list) => nowMs - (this.#begunAt.get(list) ?? 0) <= LIST_MS);
  }
}

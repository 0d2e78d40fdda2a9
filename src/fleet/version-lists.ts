import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';

/**
 * A list of versions is used for so long: it can move a use only forwards, at worst to the last version but one.
 * Milliseconds.
 */
const LIST_MS = 5_000;
/** A list that is older is made anew before a use is planned with it, so that the plan does not outlast it. Milliseconds. */
const RENEW_MS = 3_000;

type Versions = readonly KeyVersion[];

/** Lists of the versions of keys, shared by all passes of an instance. */
export class VersionLists {
  readonly #keys: { listVersions(key: ManagedKey): Promise<Versions> };
  readonly #now: () => Date;
  readonly #known = new Map<string, { readonly at: number; readonly list: Promise<Versions> }>();
  /** When each list began. */
  readonly #begunAt = new WeakMap<Versions, number>();

  constructor(keys: { listVersions(key: ManagedKey): Promise<Versions> }, now: () => Date) {
    this.#keys = keys;
    this.#now = now;
  }

  /** A list that is at most 3 s old and began no earlier than `since`. Errors are the SDK's. */
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

  /** Whether these very lists, as they were given, are still at most 5 s old. */
  areCurrent(lists: readonly Versions[]): boolean {
    const nowMs = this.#now().getTime();
    return lists.every((list) => nowMs - (this.#begunAt.get(list) ?? 0) <= LIST_MS);
  }
}

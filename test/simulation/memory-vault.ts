import type { Keys, KeyVersionChange } from '../../src/keys/key-client.ts';
import { compareAge, type KeyVersion } from '../../src/keys/key-versions.ts';
import { REVOCATION_TAG } from '../../src/revocation/revocation.ts';
import { keyVersion } from '../support/keys.ts';

/** Versions on a page of the list. Key Vault has 25; with fewer, few versions are enough for a list that is no snapshot. */
const PAGE = 2;

/** One key as Key Vault keeps it, and what has to be known of its past to judge a restore. */
export class MemoryVault {
  versions: KeyVersion[] = [];
  /** Whether a version was on when its record was first written. */
  readonly onAtRecord = new Map<string, boolean>();
  readonly #read = new Map<string, boolean>();
  /** Versions that people have switched. */
  readonly #touched = new Set<string>();
  readonly #now: () => Date;

  readonly #first: number;

  /**
   * @param expiresOn of the newest version
   * @param first number of the first version, so that those of two keys differ
   */
  constructor(versions: number, now: () => Date, expiresOn?: Date, first = 1) {
    this.#first = first;
    this.#now = now;
    for (let n = first; n < first + versions; n += 1) {
      const { createdOn, updatedOn } = keyVersion(n - first + 1); // as old as those of the other key
      const expiry = n === first + versions - 1 && expiresOn ? { expiresOn } : {};
      this.versions.push(keyVersion(n, { createdOn, updatedOn, ...expiry }));
    }
  }

  get now(): Date {
    return this.#now();
  }

  page(index: number): KeyVersion[] {
    return this.versions.slice(index * PAGE, (index + 1) * PAGE);
  }

  update(name: string, { enabled, tags, expiresOn }: KeyVersionChange): KeyVersion {
    const before = this.#find(name);
    if (tags?.[REVOCATION_TAG] && !before.tags[REVOCATION_TAG] && enabled === false) {
      const read = this.#read.get(name);
      if (read !== undefined || !this.#touched.has(name)) this.onAtRecord.set(name, read ?? true);
      else this.onAtRecord.delete(name);
    }

    const after = {
      ...before,
      ...(enabled === undefined ? {} : { enabled }),
      ...(tags ? { tags: { ...tags } } : {}),
      ...(expiresOn ? { expiresOn } : {}),
      updatedOn: this.#now(),
    };

    this.versions = this.versions.map((version) => (version === before ? after : version));

    return after;
  }

  get(name: string): KeyVersion | undefined {
    const found = this.versions.find(({ version }) => version === name);
    if (found && !found.tags[REVOCATION_TAG]) this.#read.set(name, found.enabled);
    return found;
  }

  /** A person's own hand, past the app. */
  set(name: string, enabled: boolean): void {
    // What was read before says nothing any more, and a write that is under way may go either way.
    this.#read.delete(name);
    this.#touched.add(name);
    this.update(name, { enabled });
  }

  create(): KeyVersion {
    const made = keyVersion(99 + this.#first + this.versions.length, {
      createdOn: this.#now(),
      updatedOn: this.#now(),
    });
    this.versions = [...this.versions, made];
    return made;
  }

  fingerprint(): string {
    const versions = this.versions.map(({ version, enabled, tags }) => `${version}${enabled}${JSON.stringify(tags)}`);
    const past = this.#touched.size === 0 ? [] : [...this.onAtRecord, ...this.#read].map(String).sort();
    return [...versions, ...past].join('|');
  }

  #find(name: string): KeyVersion {
    const found = this.versions.find(({ version }) => version === name);
    if (!found) throw Object.assign(new Error('no such version'), { statusCode: 404 });
    return found;
  }
}

/** How a call reaches Azure: at once, or when a scheduler lets it. @param signal the caller gives it up */
export type Way = <T>(label: string, effect: () => T, writes?: boolean, signal?: AbortSignal) => Promise<T>;

/** The app's port to the key, each page of a list a call of its own. */
export function keysOf(vault: MemoryVault, way: Way): Keys {
  async function* versionPages(): AsyncGenerator<KeyVersion[]> {
    for (let index = 0; ; index += 1) {
      const { page, more } = await way(`list ${index}`, () => ({
        page: vault.page(index),
        more: vault.page(index + 1).length > 0,
      }));
      yield page;
      if (!more) return;
    }
  }

  const listVersions = async (): Promise<KeyVersion[]> => {
    const all: KeyVersion[] = [];
    for await (const page of versionPages()) all.push(...page);
    return all.sort(compareAge);
  };

  const unused = async (): Promise<never> => {
    throw new Error('This simulation does not have it.');
  };

  return {
    versionPages,
    listVersions,
    listVersionsUnsettled: listVersions,
    getVersion: (_key, version) => way(`get ${short(version)}`, () => vault.get(version)),
    updateVersion: (_key, version, change) =>
      way(`patch ${short(version)} ${JSON.stringify(change)}`, () => vault.update(version, change), true),
    deletedVersion: async () => undefined,
    recover: unused,
    rotate: () => way('rotate', () => vault.create(), true),
    rotationPolicy: () => way('policy', () => ({ rotates: false })),
  };
}

function short(version: string): string {
  return `v${Number.parseInt(version, 16)}`;
}

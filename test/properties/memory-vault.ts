import type { Keys, KeyVersionChange } from '../../src/keys/key-client.ts';
import { compareAge, type KeyVersion } from '../../src/keys/key-versions.ts';
import { KEY, keyVersion } from '../support/keys.ts';

/**
 * One key of Key Vault in memory, for more histories than the wire can carry: whole seconds, tags replaced as a whole, soft
 * delete, and calls that overlap as the seed has it. The wire's own histories show that it is like the real thing.
 */
export class MemoryVault {
  readonly key = KEY;
  readonly copiesTags: boolean;
  #versions: KeyVersion[] = [];
  #deleted = false;
  #nowMs = Date.UTC(2026, 0, 1);
  #made = 0;
  #random: number;

  constructor(options: { readonly copiesTags: boolean; readonly seed: number }) {
    this.copiesTags = options.copiesTags;
    this.#random = options.seed >>> 0 || 1;
  }

  readonly keys: Keys = {
    listVersions: async () => this.#list(),
    listVersionsUnsettled: async () => this.#list(),
    versionPages: (): AsyncIterable<KeyVersion[]> => this.#pages(),
    getVersion: async (_, version) => (await this.#list()).find((found) => found.version === version),
    deletedVersion: async () => {
      await this.#turns();
      return this.#deleted ? this.#versions.at(-1) : undefined;
    },
    recover: async () => {
      await this.#turns();
      const deleted = this.#deleted;
      this.#deleted = false;
      return deleted;
    },
    rotate: async () => {
      await this.#turns();
      return this.#rotate();
    },
    updateVersion: async (_, version, change) => {
      await this.#turns();
      const updated = this.#update(version, change);
      await this.#turns();
      return updated;
    },
    rotationPolicy: async () => ({ rotates: false }),
  };

  now(): Date {
    return new Date(this.#nowMs);
  }

  advance(ms: number): void {
    this.#nowMs += ms;
  }

  async truth(): Promise<KeyVersion[]> {
    return this.#deleted ? [] : [...this.#versions].sort(compareAge);
  }

  async deleted(): Promise<KeyVersion[]> {
    return this.#deleted ? [...this.#versions].sort(compareAge) : [];
  }

  async isDeleted(): Promise<boolean> {
    return this.#deleted;
  }

  async create(tags: Record<string, string>, enabled: boolean): Promise<void> {
    if (!this.#deleted) this.#add(tags, enabled);
  }

  async rotate(): Promise<void> {
    if (!this.#deleted && this.#versions.length > 0) this.#rotate();
  }

  async set(version: string, enabled: boolean): Promise<void> {
    if (!this.#deleted) this.#update(version, { enabled });
  }

  async remove(): Promise<void> {
    this.#deleted = this.#versions.length > 0;
  }

  async bringBack(): Promise<void> {
    this.#deleted = false;
  }

  async *#pages(): AsyncGenerator<KeyVersion[]> {
    yield await this.#list();
  }

  async #list(): Promise<KeyVersion[]> {
    await this.#turns();
    const versions = await this.truth();
    await this.#turns();
    return versions;
  }

  #rotate(): KeyVersion {
    const newest = this.#versions.at(-1);
    if (!newest || this.#deleted) throw Object.assign(new Error('Key not found'), { statusCode: 404 });
    return this.#add(this.copiesTags ? newest.tags : {}, true);
  }

  #add(tags: Readonly<Record<string, string>>, enabled: boolean): KeyVersion {
    this.#made += 1;
    const time = this.#seconds();
    const expiresOn = new Date(time.getTime() + 3 * 86_400_000);
    const made = keyVersion(this.#made, { enabled, createdOn: time, updatedOn: time, expiresOn, tags: { ...tags } });
    this.#versions.push(made);
    return made;
  }

  #update(name: string, { enabled, tags }: KeyVersionChange): KeyVersion {
    const at = this.#versions.findIndex(({ version }) => version === name);
    const before = this.#versions[at];
    if (!before || this.#deleted) throw Object.assign(new Error('Key not found'), { statusCode: 404 });
    if (Object.keys(tags ?? {}).length > 15) throw Object.assign(new Error('Too many tags'), { statusCode: 400 });

    const after = {
      ...before,
      enabled: enabled ?? before.enabled,
      tags: tags ? { ...tags } : before.tags,
      updatedOn: this.#seconds(),
    };

    this.#versions[at] = after;

    return after;
  }

  #seconds(): Date {
    return new Date(Math.floor(this.#nowMs / 1000) * 1000);
  }

  /** Lets others go first, for a number of turns that the seed decides. */
  async #turns(): Promise<void> {
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0;
    for (let turns = this.#random >>> 29; turns > 0; turns -= 1) await Promise.resolve();
  }
}

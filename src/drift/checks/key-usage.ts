import type { KeyUse } from '../../fleet/key-use.ts';

/** How many examples a finding names. */
const EXAMPLES = 3;

/** Who was seen to use a key, as numbers: its size does not grow with the fleet. */
export class KeyUsage {
  readonly #versions = new Set<string>();
  pinned = 0;
  readonly pinnedExamples: string[] = [];
  /** Users whose version Azure does not show. */
  unknown = 0;
  /** Not every account or scope could be read: one that was not may use the key. */
  incomplete = false;

  /** @param name the account, or the account and the scope */
  add(name: string, use: KeyUse): void {
    for (const version of [use.pinned, use.current]) if (version !== undefined) this.#versions.add(version);
    if (use.current === undefined && use.pinned === undefined) this.unknown += 1;
    if (use.pinned === undefined) return;
    this.pinned += 1;
    if (this.pinnedExamples.length < EXAMPLES) this.pinnedExamples.push(name);
  }

  /** Adds what was counted elsewhere. */
  merge(other: KeyUsage): void {
    for (const version of other.#versions) this.#versions.add(version);
    this.pinnedExamples.push(...other.pinnedExamples.slice(0, EXAMPLES - this.pinnedExamples.length));
    this.pinned += other.pinned;
    this.unknown += other.unknown;
  }

  uses(version: string): boolean {
    return this.#versions.has(version);
  }

  /** Whether anything was seen to use the key. */
  get used(): boolean {
    return this.#versions.size > 0 || this.unknown > 0;
  }
}

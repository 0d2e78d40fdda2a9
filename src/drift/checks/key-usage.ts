import type { KeyUse } from '../../fleet/key-use.ts';

/** How many examples a finding names. */
const EXAMPLES = 3;

/** Who was seen to use a key, as numbers: its size does not grow with the fleet. */
export class KeyUsage {
  readonly #versions = new Set<string>();
  readonly #examples: string[] = [];
  #pinned = 0;
  #unknown = 0;
  #incomplete = false;

  /** Not every account or scope could be read: one that was not may use the key. */
  markIncomplete(): void {
    this.#incomplete = true;
  }

  /** @param name the account, or the account and the scope */
  add(name: string, use: KeyUse): void {
    for (const version of new Set([use.pinned, use.current])) {
      if (version !== undefined) this.#versions.add(version);
    }
    if (use.current === undefined && use.pinned === undefined) this.#unknown += 1;
    if (use.pinned === undefined) return;
    this.#pinned += 1;
    if (this.#examples.length < EXAMPLES) this.#examples.push(name);
  }

  /** Adds what was counted elsewhere. */
  merge(other: KeyUsage): void {
    for (const version of other.#versions) this.#versions.add(version);
    this.#examples.push(...other.#examples.slice(0, EXAMPLES - this.#examples.length));
    this.#pinned += other.#pinned;
    this.#unknown += other.#unknown;
  }

  uses(version: string): boolean {
    return this.#versions.has(version);
  }

  /** Whether anything was seen to use the key. */
  get used(): boolean {
    return this.#versions.size > 0 || this.#unknown > 0;
  }

  get pinned(): number {
    return this.#pinned;
  }

  get pinnedExamples(): readonly string[] {
    return this.#examples;
  }

  get incomplete(): boolean {
    return this.#incomplete;
  }

  /** Users whose version Azure does not show. */
  get unknown(): number {
    return this.#unknown;
  }
}

import type { KeyUse } from '../../accounts/key-use.ts';

/** Maximum number of examples in a finding. */
const EXAMPLES = 3;

/** The known users of a key as numbers, so that its size does not grow with the fleet. */
export class KeyUsage {
  readonly #versions = new Set<string>();
  pinned = 0;
  readonly pinnedExamples: string[] = [];
  /** Number of users whose version Azure does not return. */
  unknown = 0;
  /** Whether an account or scope was not read. It may use the key. */
  incomplete = false;

  /** @param name the account, or the account and the scope */
  add(name: string, use: KeyUse): void {
    for (const version of [use.pinned, use.current]) {
      if (version !== undefined) this.#versions.add(version);
    }
    if (use.current === undefined && use.pinned === undefined) this.unknown += 1;
    if (use.pinned === undefined) return;
    this.pinned += 1;
    if (this.pinnedExamples.length < EXAMPLES) this.pinnedExamples.push(name);
  }

  uses(version: string): boolean {
    return this.#versions.has(version);
  }

  /** Whether any read showed a user of the key. */
  get used(): boolean {
    return this.#versions.size > 0 || this.unknown > 0;
  }
}

/** Largest part of the index that one read keeps in memory. 100,000 accounts with one use each need less. */
const MOST = { rows: 250_000, characters: 200_000_000 };

/**
 * Limits what a read of the index keeps in memory: a writer of the table decides how many rows there are, and must not
 * be able to fill the memory of the process, which also revokes keys.
 */
export class IndexLimit {
  readonly #most: { readonly rows: number; readonly characters: number };
  #rows = 0;
  #characters = 0;

  constructor(most = MOST) {
    this.#most = most;
  }

  /** Whether a read has omitted rows. */
  get isExceeded(): boolean {
    return this.#rows > this.#most.rows || this.#characters > this.#most.characters;
  }

  /** Returns the rows, up to the limit over all calls. */
  async collect<T>(rows: AsyncIterable<T>): Promise<T[]> {
    const kept: T[] = [];
    for await (const row of rows) {
      this.#rows += 1;
      this.#characters += charactersOf(row);
      if (this.isExceeded) break;
      kept.push(row);
    }
    return kept;
  }
}

function charactersOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  return Object.entries(value).reduce((sum, [name, field]) => sum + name.length + charactersOf(field), 0);
}

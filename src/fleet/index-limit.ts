/** Largest part of the index that one read keeps: more than 100,000 accounts with a use each. */
const MOST = { rows: 250_000, characters: 200_000_000 };

/**
 * Limits what a read of the index keeps in memory. A writer of the table decides how many rows there are, and the
 * process that reads them also revokes keys.
 */
export class IndexLimit {
  readonly #most: { readonly rows: number; readonly characters: number };
  #rows = 0;
  #characters = 0;

  constructor(most = MOST) {
    this.#most = most;
  }

  /** Whether a read has left out rows. */
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

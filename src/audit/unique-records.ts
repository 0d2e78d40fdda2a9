/** The fields of a record that show whether it duplicates another record. */
export interface RepeatableRecord {
  readonly entry: {
    readonly id?: string | undefined;
    readonly reason: string;
    readonly correlationId?: string | undefined;
    readonly details?: Readonly<Record<string, unknown>> | undefined;
  };
}

/**
 * Deduplicates records for a reader. The app writes a record again, with the same id, if it cannot confirm the first
 * write. The earliest duplicate wins; a record derived from storage (`foundIn`) counts only if no other record has its
 * id.
 */
export class UniqueRecords<T extends RepeatableRecord> {
  /** Records by content, newest first. */
  readonly #records = new Map<string, T>();
  readonly #proven = new Set<string>();
  #count = 0;

  /** Adds the next older record. */
  add(record: T): void {
    const { id, reason, correlationId, details } = record.entry;

    this.#count += 1;

    if (id === undefined) {
      this.#records.set(`${this.#count}`, record);
      return;
    }

    const found = `found ${id}`;

    if (details?.foundIn !== undefined) {
      if (!this.#proven.has(id)) this.#put(found, record);
      return;
    }

    // A call may have an incomplete record and a later complete record, with the same id.
    this.#proven.add(id);
    this.#records.delete(found);
    this.#put(JSON.stringify([id, reason, correlationId]), record);
  }

  /** Replaces the newer duplicate. */
  #put(key: string, record: T): void {
    this.#records.delete(key);
    this.#records.set(key, record);
  }

  get size(): number {
    return this.#records.size;
  }

  get all(): readonly T[] {
    return [...this.#records.values()];
  }
}

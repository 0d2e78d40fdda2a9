/** A record as far as it shows whether it says the same as another one. */
export interface RepeatableRecord {
  readonly entry: {
    readonly id?: string | undefined;
    readonly reason: string;
    readonly correlationId?: string | undefined;
    readonly details?: Readonly<Record<string, unknown>> | undefined;
  };
}

/**
 * Records as a reader shows them, each once: what is not known to be in the trail is written again, under the same id. Of two
 * that say the same the one that was written first stays; one that was made of what was found in the storage (`foundIn`) stays
 * only where no other has its id.
 */
export class UniqueRecords<T extends RepeatableRecord> {
  /** By what they say, newest first. */
  readonly #records = new Map<string, T>();
  readonly #proven = new Set<string>();
  #count = 0;

  /** Takes the next older record. */
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
    // One call may be incomplete and a later one complete, under one id.
    this.#proven.add(id);
    this.#records.delete(found);
    this.#put(JSON.stringify([id, reason, correlationId]), record);
  }

  /** In the place of the newer one. */
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

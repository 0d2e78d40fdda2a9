import type { AuditRecord } from '../audit/record.ts';

/**
 * Facts of records that are read oldest first, without repeats: the counterpart of `UniqueRecords`. The earliest of
 * several records with one id wins; a record derived from storage (`foundIn`) counts only if no other has its id.
 */
export class UniqueFacts<T> {
  readonly #proven = new Map<string, T>();
  /** Ids of proven facts. */
  readonly #ids = new Set<string>();
  /** Facts derived from storage, by id. */
  readonly #found = new Map<string, T>();

  add({ id: record, entry }: AuditRecord, fact: T): void {
    const { id = record, reason = '', correlationId = '', details = {} } = entry ?? {};

    if (details.foundIn !== undefined) {
      if (!this.#ids.has(id) && !this.#found.has(id)) this.#found.set(id, fact);
      return;
    }

    this.#found.delete(id);
    this.#ids.add(id);

    // A call may have an incomplete record and a later complete record, with the same id.
    const content = `${id} ${reason} ${correlationId}`;
    if (!this.#proven.has(content)) this.#proven.set(content, fact);
  }

  /** Proven facts first, each group oldest first. */
  get all(): T[] {
    return [...this.#proven.values(), ...this.#found.values()];
  }
}

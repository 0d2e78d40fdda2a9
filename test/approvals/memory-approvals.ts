import type { ApprovalRequest } from '../../src/approvals/approval.ts';
import type { ApprovalStore } from '../../src/approvals/approval-store-client.ts';

export type LostAnswer = 'refused' | 'lost';

/** Keeps requests; the write after `fail` takes effect, and is answered as if it had not, or not at all. */
export class MemoryApprovals implements ApprovalStore {
  /** Ids that were asked for. */
  readonly asked: string[] = [];
  readonly #kept = new Map<string, { text: string; etag: string }>();
  fail: LostAnswer | undefined;
  writes = 0;

  list = async () => this.waiting();
  waiting = async () =>
    [...this.#kept.values()]
      .map(({ text }): ApprovalRequest => JSON.parse(text))
      .filter((one) => one.state === 'waiting');
  async get(id: string) {
    this.asked.push(id);
    const kept = this.#kept.get(id);
    return kept && { request: JSON.parse(kept.text) as ApprovalRequest, etag: kept.etag };
  }
  async put(request: ApprovalRequest, etag: string | undefined) {
    if (this.#kept.get(request.id)?.etag !== etag) return false;
    this.writes += 1;
    this.#kept.set(request.id, { text: JSON.stringify(request), etag: `${this.writes}` });
    const { fail } = this;
    this.fail = undefined;
    if (fail === 'lost') throw new Error('no answer');
    // The client of the storage has tried again, and was refused by what it had written itself.
    return fail !== 'refused';
  }
}

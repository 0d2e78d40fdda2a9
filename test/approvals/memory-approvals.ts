import type { ApprovalRequest } from '../../src/approvals/approval.ts';
import type { ApprovalStore, KeptApproval } from '../../src/approvals/approval-store-client.ts';
import type { Way } from '../simulation/memory-vault.ts';

export type LostAnswer = 'refused' | 'lost';

/** Keeps requests; the write after `fail` takes effect, and is answered as if it had not, or not at all. */
export class MemoryApprovals implements ApprovalStore {
  /** Ids that were asked for. */
  readonly asked: string[] = [];
  readonly #kept = new Map<string, { text: string; etag: string }>();
  fail: LostAnswer | undefined;
  writes = 0;

  get all(): readonly Omit<KeptApproval, 'etag'>[] {
    return [...this.#kept.values()].map(({ text }) => JSON.parse(text));
  }

  list = async () => this.waiting();
  waiting = async () => this.all.map(({ request }) => request).filter(({ state }) => state === 'waiting');
  unrecorded = async () => this.all.flatMap(({ request, unrecorded }) => (unrecorded.length > 0 ? request.id : []));
  async get(id: string) {
    this.asked.push(id);
    const kept = this.#kept.get(id);
    return kept && { ...(JSON.parse(kept.text) as Omit<KeptApproval, 'etag'>), etag: kept.etag };
  }
  async put(request: ApprovalRequest, etag: string | undefined, unrecorded: KeptApproval['unrecorded']) {
    if (this.#kept.get(request.id)?.etag !== etag) return false;
    this.writes += 1;
    this.#kept.set(request.id, { text: JSON.stringify({ request, unrecorded }), etag: `${this.writes}` });
    const { fail } = this;
    this.fail = undefined;
    if (fail === 'lost') throw new Error('no answer');
    // The client of the storage has tried again, and was refused by what it had written itself.
    return fail !== 'refused';
  }

  /** As one process sees it. `way` runs each request. */
  port(way: Way): ApprovalStore {
    return {
      writes: 0,
      list: async () => way('approvals', () => this.list()),
      waiting: async () => way('approvals that wait', () => this.waiting()),
      unrecorded: async () => way('approvals not on record', () => this.unrecorded()),
      get: async (id) => way('approval', () => this.get(id)),
      put: async (...args) => way('put approval', () => this.put(...args), true),
    };
  }
}

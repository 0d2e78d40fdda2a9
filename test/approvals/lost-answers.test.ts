import { describe, expect, it } from 'vitest';
import type { ApprovalRequest } from '../../src/approvals/approval.ts';
import type { ApprovalStore } from '../../src/approvals/approval-store-client.ts';
import {
  type ApprovalCall,
  approveRequest,
  askForApproval,
  requestOf,
  withdrawRequest,
} from '../../src/approvals/approvals.ts';

type Answer = 'refused' | 'lost';

/** Keeps requests; the write after `fail` takes effect, and is answered as if it had not, or not at all. */
class Store implements ApprovalStore {
  readonly #kept = new Map<string, { text: string; etag: string }>();
  fail: Answer | undefined;
  #writes = 0;

  list = async () => this.waiting();
  waiting = async () =>
    [...this.#kept.values()]
      .map(({ text }): ApprovalRequest => JSON.parse(text))
      .filter((one) => one.state === 'waiting');
  async get(id: string) {
    const kept = this.#kept.get(id);
    return kept && { request: JSON.parse(kept.text) as ApprovalRequest, etag: kept.etag };
  }
  async put(request: ApprovalRequest, etag: string | undefined) {
    if (this.#kept.get(request.id)?.etag !== etag) return false;
    this.#writes += 1;
    this.#kept.set(request.id, { text: JSON.stringify(request), etag: `${this.#writes}` });
    const { fail } = this;
    this.fail = undefined;
    if (fail === 'lost') throw new Error('no answer');
    // The client of the storage has tried again, and was refused by what it had written itself.
    return fail !== 'refused';
  }
}

const call = (objectId: string): ApprovalCall => ({
  caller: { objectId, appId: 'az', kind: 'person' },
  correlationId: `call of ${objectId}`,
});

describe.each<Answer>(['refused', 'lost'])('a write that took effect and whose answer was %s', (answer) => {
  async function started(asking?: Answer) {
    const approvals = new Store();
    approvals.fail = asking;
    const recorded: string[] = [];
    const services = {
      approvals,
      audit: async ({ action }: { readonly action: string }) => {
        recorded.push(action);
        return { failed: 'not looked at here' };
      },
      now: () => new Date('2026-11-25T03:00:00Z'),
    };
    const what = { action: 'restore', vault: 'kv-files', key: 'k', revocation: 'cafe', reason: 'Found' } as const;
    const { id } = await askForApproval(what, 2, call('asker'), services, () => {});
    const approve = (who: string) =>
      approveRequest(id, { revokers: [], atLeast: 2 }, call(who), services, () => {}).then(({ state }) => state);
    return { id, approvals, recorded, services, approve };
  }

  it('counts: each approval is on record, and the last one carries it out', async () => {
    const { approvals, approve, recorded } = await started();
    approvals.fail = answer;
    expect(await approve('first')).toBe('waiting');
    await expect(approve('first')).rejects.toMatchObject({ reason: 'ApprovedAlready' });
    approvals.fail = answer;
    expect(await approve('second')).toBe('running');
    await expect(approve('third')).rejects.toMatchObject({ reason: 'ApprovalOver' });
    expect(recorded).toEqual(['approval.ask', 'approval.approve', 'approval.approve']);
  });

  it('asks, and says so', async () => {
    const { id, services, recorded } = await started(answer);
    expect((await requestOf(id, services)).state).toBe('waiting');
    expect(recorded).toEqual(['approval.ask']);
  });

  it('takes a request back, and says so', async () => {
    const { id, approvals, services, recorded } = await started();
    approvals.fail = answer;
    expect(await withdrawRequest(id, call('asker'), services, () => {})).toMatchObject({ state: 'withdrawn' });
    expect((await requestOf(id, services)).state).toBe('withdrawn');
    expect(recorded).toEqual(['approval.ask', 'approval.withdraw']);
  });
});

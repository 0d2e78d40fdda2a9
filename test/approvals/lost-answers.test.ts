import { describe, expect, it } from 'vitest';
import { approveRequest, askForApproval, requestOf, withdrawRequest } from '../../src/approvals/approvals.ts';
import type { ApprovalCall } from '../../src/approvals/record-deeds.ts';
import { type LostAnswer, MemoryApprovals } from './memory-approvals.ts';

const call = (objectId: string): ApprovalCall => ({
  caller: { objectId, appId: 'az', kind: 'person' },
  correlationId: `call of ${objectId}`,
});

describe.each<LostAnswer>(['refused', 'lost'])('a write that took effect and whose answer was %s', (answer) => {
  async function started(asking?: LostAnswer) {
    const approvals = new MemoryApprovals();
    approvals.fail = asking;
    const recorded: string[] = [];
    const services = {
      approvals,
      audit: async ({ action }: { readonly action: string }) => {
        recorded.push(action);
        return { failed: 'not looked at here' };
      },
      queue: { send: async () => {} },
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

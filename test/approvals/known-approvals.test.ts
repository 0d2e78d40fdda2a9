import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { ApprovalRequest } from '../../src/approvals/approval.ts';
import { type AskedApproval, approvalId } from '../../src/approvals/approval.ts';
import type { ApprovalStore } from '../../src/approvals/approval-store-client.ts';
import { KnownApprovals } from '../../src/approvals/known-approvals.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const TELLING = { correlationId: 'a', onUnexpected: () => expect.unreachable() };

function request(key: string, state: ApprovalRequest['state'] = 'waiting'): ApprovalRequest {
  const asked: AskedApproval = {
    action: 'restore',
    vault: 'kv-files',
    key,
    revocation: 'beef',
    reason: 'Found',
    askedBy: { objectId: 'o', appId: 'a' },
    askedOn: '2026-11-27T00:00:00.000Z',
    expiresOn: '2026-11-27T08:00:00.000Z',
  };
  return { v: 1, id: approvalId(asked), ...asked, needed: 1, approvedBy: [], state } as ApprovalRequest;
}

function portsWith(list: ApprovalStore['list'], approvals: Partial<ApprovalStore> = {}) {
  return { approvals: Object.assign(approvals, { list }) as ApprovalStore, now: () => new Date() };
}

it('are told as far as they are about it, those that wait first', async () => {
  const [done, waiting, other] = [request('a', 'done'), request('a'), request('b')];
  const ports = portsWith(async () => [done, other, waiting]);
  const beside = new KnownApprovals().beside(Promise.resolve(1), ({ key }) => key === 'a', ports, TELLING);
  expect(await beside).toMatchObject({ answer: 1, approvals: { value: [waiting, done] } });
});

it('are not told when somebody has changed them in the storage', async () => {
  const ports = portsWith(async () => [{ ...request('a'), reason: 'Another' }]);
  const { approvals } = await new KnownApprovals().beside(Promise.resolve(1), () => true, ports, TELLING);
  expect(approvals.value).toEqual([]);
});

it('that hang keep an answer no longer than a moment, which says so, also once it is given up', async () => {
  let fail = (_: Error): void => undefined;
  const list = () => new Promise<never>((_, reject) => (fail = reject));
  const known = new KnownApprovals();
  const ask = () => known.beside(Promise.resolve('revoked'), () => true, portsWith(list), TELLING);
  const began = Date.now();
  const answering = ask();
  await vi.advanceTimersByTimeAsync(200);
  expect(await answering).toEqual({ answer: 'revoked', approvals: { reading: true } });
  expect(Date.now() - began).toBe(200);
  fail(new Error('It hung up.'));
  await vi.advanceTimersByTimeAsync(0);
  const later = ask();
  await vi.advanceTimersByTimeAsync(200);
  expect((await later).approvals).toMatchObject({ problem: { status: 503, reason: 'ServiceUnavailable' } });
});

it('are read once for an answer, however long that takes itself', async () => {
  let lists = 0;
  const ports = portsWith(async () => {
    lists += 1;
    return [request('a')];
  });
  const slow = new Promise((resolve) => setTimeout(resolve, 5_000));
  const beside = new KnownApprovals().beside(slow, () => true, ports, TELLING);
  await vi.advanceTimersByTimeAsync(5_000);
  expect((await beside).approvals.value).toHaveLength(1);
  expect(lists).toBe(1);
});

it('are there for who asks after one was made here, though others have been reading since before', async () => {
  const [made, store]: [ApprovalRequest[], { writes: number }] = [[], { writes: 0 }];
  const list = async () => {
    const read = [...made];
    await new Promise((resolve) => setTimeout(resolve, 150));
    return read;
  };
  const known = new KnownApprovals();
  const ask = () => known.beside(Promise.resolve(1), () => true, portsWith(list, store), TELLING);
  const before = ask();
  await vi.advanceTimersByTimeAsync(50);
  made.push(request('a'));
  store.writes += 1;
  const after = ask();
  await vi.advanceTimersByTimeAsync(150);
  expect((await before).approvals.value).toEqual([]);
  expect((await after).approvals.value).toEqual(made);
});

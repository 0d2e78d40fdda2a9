import { BlobServiceClient } from '@azure/storage-blob';
import { beforeEach, describe, expect, it } from 'vitest';
import { APPROVALS_CONTAINER, type ApprovalStore, approvalStore } from '../../src/approvals/approval-store-client.ts';
import { askForApproval, withdrawRequest } from '../../src/approvals/approvals.ts';
import type { ApprovalCall } from '../../src/approvals/record-deeds.ts';
import { useAzurite } from '../support/azurite.ts';

// Nobody hides a request of somebody else behind a crowd of their own.

const azurite = useAzurite();
const container = () =>
  BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient(APPROVALS_CONTAINER);
let approvals: ApprovalStore;
let now: Date;

beforeEach(async () => {
  await container().deleteIfExists();
  approvals = approvalStore(container());
  now = new Date('2026-11-25T03:00:00Z');
});

const services = () => ({
  approvals,
  audit: async () => ({ failed: 'not looked at here' }),
  queue: { send: async () => {} },
  now: () => now,
});
const call = (objectId: string): ApprovalCall => ({
  caller: { objectId, appId: 'az', kind: 'person' },
  correlationId: 'call-1',
});
function ask(who: string, reason = 'The laptop is back') {
  const what = { action: 'restore', vault: 'kv-files', key: 'files-key', revocation: 'cafe', reason } as const;
  return askForApproval(what, 1, call(who), services(), () => {});
}
const withdraw = (id: string, who: string) => withdrawRequest(id, call(who), services(), () => {});

describe('a crowd of requests', () => {
  it('that are over leaves what waits in sight', async () => {
    const { id } = await ask('alice');
    const over = await withdraw((await ask('mallory')).id, 'mallory');
    const others = Array.from({ length: 210 }, (_, n) => ({ ...over, id: `${n}`.padStart(40, '0') }));
    await Promise.all(others.map((request) => approvals.put(request, undefined, [])));
    const listed = await approvals.list(now);
    expect(listed.map((request) => request.id)).toContain(id);
    expect(listed).toHaveLength(200);
  });

  it('that are endless are not read to their end, and hide nothing', async () => {
    const { id } = await ask('alice');
    const big = await ask('mallory', 'Endless');
    const text = `${' '.repeat(200_000)}${JSON.stringify(big)}`;
    await container().getBlockBlobClient(`${big.id}.json`).upload(text, text.length);
    await container()
      .getBlockBlobClient(`${'0'.repeat(40)}.json`)
      .upload('', 0);
    expect((await approvals.list(now)).map((request) => request.id)).toEqual([id]);
    expect(await approvals.get(big.id)).toBeUndefined();
    expect(await approvals.get('0'.repeat(40))).toBeUndefined();
    expect(await approvals.get(id)).toBeDefined();
  });

  it('that wait is refused beyond twenty of one person, and of nobody else', async () => {
    const asked = [];
    for (let n = 0; n < 20; n += 1) asked.push(await ask('mallory', `Because of ${n}`));
    await expect(ask('mallory', 'Once more')).rejects.toMatchObject({
      reason: 'TooManyWaiting',
      nextStep: expect.stringContaining('Withdraw'),
    });
    // The same as one that waits is that one.
    expect(await ask('mallory', 'Because of 3')).toMatchObject({ id: asked[3]?.id });
    expect(await ask('alice')).toMatchObject({ state: 'waiting' });
    await withdraw(asked[0]?.id ?? '', 'mallory');
    expect(await ask('mallory', 'Once more')).toMatchObject({ state: 'waiting' });
    now = new Date('2026-11-25T12:00:00Z');
    for (let n = 0; n < 20; n += 1) await ask('mallory', `Because of ${n}`);
  });
});

import { BlobServiceClient } from '@azure/storage-blob';
import { expect, it, vi } from 'vitest';
import type { ApprovalRequest } from '../../src/approvals/approval.ts';
import { approvalStore, type KeptApproval } from '../../src/approvals/approval-store-client.ts';
import { askForApproval } from '../../src/approvals/approvals.ts';
import { useAzurite } from '../support/azurite.ts';

const azurite = useAzurite();
const now = new Date('2026-11-25T03:00:00Z');

/** A store of its own, with a request that waits. */
async function storeOf(name: string) {
  const container = BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient(name);
  const approvals = approvalStore(container);
  const what = { action: 'restore', vault: 'kv-files', key: 'files-key', revocation: 'cafe', reason: 'Back' } as const;
  const caller = { objectId: 'alice', appId: 'az', kind: 'person' } as const;
  const services = {
    approvals,
    audit: async () => ({ failed: 'not looked at here' }),
    queue: { send: async () => {} },
    now: () => now,
  };
  const asked = await askForApproval(what, 1, { caller, correlationId: 'call-1' }, services, () => {});
  /** Whoever may write the storage, or a copy of it, need not tell beside a request what it is. */
  const copy = async (request: ApprovalRequest & Partial<KeptApproval>, as = request.id) => {
    const text = JSON.stringify(request);
    await container.getBlockBlobClient(`${as}.json`).upload(text, Buffer.byteLength(text));
  };
  const waiting = async () => (await approvals.waiting(now)).map(({ id }) => id);
  return { approvals, asked, container, copy, waiting };
}

it('a request waits by what it says itself, where nothing stands beside it', async () => {
  const { approvals, asked, copy, waiting } = await storeOf('approvals-copied');
  await copy({ ...asked, id: '1'.repeat(40), state: 'done' });
  await copy({ ...asked, id: '2'.repeat(40), expiresOn: new Date(now.getTime() - 1).toISOString() });
  await copy({ ...asked, id: '3'.repeat(40) });
  expect((await waiting()).sort()).toEqual(['3'.repeat(40), asked.id].sort());
  expect(await approvals.list(now)).toHaveLength(4);
});

it('a request under a name that is not its own is none', async () => {
  const { approvals, asked, copy, waiting } = await storeOf('approvals-named');
  await copy(asked, '4'.repeat(40));
  expect([await waiting(), await approvals.list(now)]).toMatchObject([[asked.id], [{ id: asked.id }]]);
});

it('a request that was changed since it was read is not written over', async () => {
  const { approvals, asked } = await storeOf('approvals-changed');
  const read = await approvals.get(asked.id);
  expect(await approvals.put({ ...asked, state: 'withdrawn' }, read?.etag, [])).toBe(true);
  expect(await approvals.put({ ...asked, state: 'done' }, read?.etag, [])).toBe(false);
  expect(await approvals.put(asked, undefined, [])).toBe(false);
  expect((await approvals.get(asked.id))?.request.state).toBe('withdrawn');
});

it('a request is read again when it has changed, and not before', async () => {
  const { approvals, asked, container, copy } = await storeOf('approvals-again');
  const other = '5'.repeat(40);
  await copy({ ...asked, id: other });
  expect(await approvals.list(now)).toHaveLength(2);
  const reads = vi.spyOn(container, 'getBlobClient');
  expect(await approvals.list(now)).toHaveLength(2);
  expect(reads).not.toHaveBeenCalled();
  // By whoever it was, and whichever instance.
  await copy({ ...asked, id: other, state: 'withdrawn' });
  expect((await approvals.list(now)).map(({ state }) => state).sort()).toEqual(['waiting', 'withdrawn']);
  expect(reads.mock.calls).toEqual([[`${other}.json`]]);
});

it('what is not on record is kept beside a request, and found without reading each', async () => {
  const { approvals, asked, container, copy } = await storeOf('approvals-unrecorded');
  const reads = vi.spyOn(container, 'getBlobClient');
  expect(await approvals.unrecorded()).toEqual([asked.id]);
  expect(reads).not.toHaveBeenCalled();
  const kept = await approvals.get(asked.id);
  const { needed, askedBy: caller, askedOn: on } = asked;
  expect(kept?.unrecorded).toEqual([
    { reason: 'ApprovalAsked', on, caller, correlationId: 'call-1', needed, given: 0 },
  ]);
  // Nobody is shown it.
  expect([kept?.request, ...(await approvals.list(now)), ...(await approvals.waiting(now))]).toEqual(
    Array(3).fill(asked),
  );
  await approvals.put(asked, kept?.etag, []);
  expect(await approvals.unrecorded()).toEqual([]);
  // As the version before has left them.
  const older = '6'.repeat(40);
  await copy({ ...asked, id: older });
  expect(await approvals.get(older)).toMatchObject({ request: { id: older }, unrecorded: [] });
  expect(await approvals.unrecorded()).toEqual([]);
});

it('what is not on record is found in a copy, too, which has nothing beside it; each is read once', async () => {
  const { approvals, asked, container, copy } = await storeOf('approvals-copied-back');
  const kept = await approvals.get(asked.id);
  await copy({ ...asked, unrecorded: kept?.unrecorded ?? [] });
  await copy({ ...asked, id: '7'.repeat(40) });
  expect(await approvals.unrecorded()).toEqual([asked.id]);
  const reads = vi.spyOn(container, 'getBlobClient');
  expect(await approvals.unrecorded()).toEqual([asked.id]);
  expect(reads).not.toHaveBeenCalled();
});

import { BlobServiceClient } from '@azure/storage-blob';
import { expect, it } from 'vitest';
import { LEASE_CONTAINER } from '../../src/work/lease-client.ts';
import { pinnedTo, useAccounts } from './account-fixture.ts';

const { instance, key, reconcile, wire } = useAccounts();
const BLOCK_BYTES = 64 * 1024 * 1024;

// Whoever can write to the app's storage can put that there, and whoever looks at the account reads it.
it('a state that is larger than a text can be keeps nobody from the account', async () => {
  const files = key();
  const account = files.account();
  const next = files.add();
  const name = `account/${account.id.split('/')[2]}/${account.name}`;
  await (await instance().leases.acquire(name))?.release();
  const blob = BlobServiceClient.fromConnectionString(wire.connectionString)
    .getContainerClient(LEASE_CONTAINER)
    .getBlockBlobClient(name);
  const ids = Array.from({ length: 9 }, (_, n) => Buffer.from(`block-${n}`).toString('base64'));
  const spaces = Buffer.alloc(BLOCK_BYTES, ' ');
  for (const id of ids) await blob.stageBlock(id, spaces, spaces.length);
  await blob.commitBlockList(ids);
  const before = process.memoryUsage().rss;
  const began = performance.now();
  const outcome = await reconcile(files.accountWork(account), instance());
  const mib = Math.round((process.memoryUsage().rss - before) / 1024 / 1024);
  console.log(JSON.stringify(outcome), Math.round(performance.now() - began), 'ms', mib, 'MiB');
  await blob.upload('', 0).catch(() => {});
  expect(outcome).toEqual({ outcome: 'done' });
  expect(pinnedTo(account)).toBe(next.version);
}, 200_000);

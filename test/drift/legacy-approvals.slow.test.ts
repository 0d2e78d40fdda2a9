import { BlobServiceClient } from '@azure/storage-blob';
import { expect, it } from 'vitest';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();

it('a request for approval that version 2 left open is reported until it expires', async () => {
  const container = BlobServiceClient.fromConnectionString(wire.connectionString).getContainerClient('cmk-approvals');
  await container.createIfNotExists();
  const put = async (id: string, state: string, hours: number) => {
    const now = wire.azure.clock.now().getTime();
    const expireson = new Date(now + hours * 3_600_000).toISOString();
    const text = JSON.stringify({ id, action: 'restore', vault: 'kv', key: 'k', askedBy: { objectId: 'bob' } });
    const metadata = { state, expireson };
    await container.getBlockBlobClient(`${id}.json`).upload(text, text.length, { metadata });
  };
  await put('open', 'waiting', 4);
  await put('expired', 'waiting', -1);
  await put('over', 'done', 4);
  const services = wire.services({ CMK_AUTOFIX: 'none' });
  const { findings } = await runDriftCheck({ id: crypto.randomUUID(), by: 'timer' }, services, wire.log);
  expect(findings.filter(({ reason }) => reason === 'LegacyApproval')).toMatchObject([
    { resource: 'cmk-approvals/open', is: expect.stringMatching(/^bob asked version 2 to approve: restore kv\/k\./) },
  ]);
});

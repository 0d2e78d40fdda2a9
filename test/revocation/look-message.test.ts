import { expect, it } from 'vitest';
import { CLOUDS } from '../../src/azure/cloud.ts';
import { managedKey, managedVault } from '../../src/keys/managed-vaults.ts';
import { lookIfKilled } from '../../src/revocation/record-revocation.ts';
import { parseKeyQueueWork, type Work } from '../../src/work/messages.ts';

it('no second look is refused for what a person or a token says', async () => {
  const sent: Work[] = [];
  const long = 'x'.repeat(5_000);
  const call = {
    caller: { objectId: long, appId: long, tokenId: long, name: long },
    correlationId: long,
    why: long,
    ticket: long,
  };
  const now = () => new Date('2026-11-25T03:00:00Z');
  const send = async (_: string, work: Work) => void sent.push(work);
  const services = { audit: async () => ({ failed: 'not asked' }), queue: { send }, now };
  const [cloud] = CLOUDS;
  const vault =
    cloud &&
    managedVault(
      '/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv-files',
      cloud,
    );
  if (!vault) throw new Error('no vault');
  const key = managedKey(vault, 'files');
  const stamp = { id: long, revokedOn: now(), revokedBy: long };
  await lookIfKilled(key, 'restore', stamp, call, services);
  expect(sent.map((work) => parseKeyQueueWork(JSON.parse(JSON.stringify(work))))).toMatchObject([
    { call: { why: 'x'.repeat(2_000), ticket: 'x'.repeat(200) } },
  ]);
});

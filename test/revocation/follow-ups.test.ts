import { expect, it } from 'vitest';
import { requestPasses } from '../../src/revocation/follow-ups.ts';
import { parseKeyQueueWork, type Work } from '../../src/work/messages.ts';
import { KEY } from '../support/keys.ts';

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
  await requestPasses(KEY, 'restore', call, services);
  const claimed = { why: long, ticket: long };
  const read = sent.map((work) => parseKeyQueueWork(JSON.parse(JSON.stringify(work))));
  expect(read).toMatchObject([
    { key: KEY.id, due: '2026-11-25T03:00:15.000Z', claimed },
    { key: KEY.id, due: '2026-11-25T03:01:15.000Z', claimed },
    { key: KEY.id, due: '2026-11-25T03:06:40.000Z', claimed },
    { key: KEY.id, due: '2026-11-25T03:14:35.000Z', claimed },
  ]);
});

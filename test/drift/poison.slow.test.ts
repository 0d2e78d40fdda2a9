import { expect, it } from 'vitest';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();

it('messages in a poison queue are counted and logged, as what they were about is kept elsewhere', async () => {
  const queue = wire.queues.getQueueClient('fleet-work-poison');
  await queue.sendMessage('{"moved":"by the host"}');
  await queue.sendMessage('{"moved":"by the app"}', { messageTimeToLive: -1 });
  const services = wire.services({ CMK_AUTOFIX: 'none' });
  const { findings } = await runDriftCheck({ id: crypto.randomUUID(), by: 'timer' }, services, wire.log);
  expect(findings.find(({ reason }) => reason === 'PoisonMessages')).toMatchObject({
    resource: 'fleet-work-poison',
    is: 'It contains about 2 messages.',
  });
  const logged = wire.records.filter(({ reason, level }) => level === 'error' && /^Poison/.test(reason));
  expect(logged).toEqual([
    expect.objectContaining({ reason: 'PoisonMessages', message: expect.stringContaining('about 2 messages') }),
  ]);
  expect((await queue.getProperties()).approximateMessagesCount).toBe(2);
});

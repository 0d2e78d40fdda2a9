import { beforeEach, describe, expect, it } from 'vitest';
import { useApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';

const app = useApp();

const send = (queue: string, text: string) => app.queues.getQueueClient(queue).sendMessage(text);
const poison = async (queue: string): Promise<string[]> => {
  const client = app.queues.getQueueClient(`${queue}-poison`);
  return (await client.peekMessages({ numberOfMessages: 32 })).peekedMessageItems.map(({ messageText }) => messageText);
};

beforeEach(async () => {
  for (const queue of ['key-work-poison', 'fleet-work-poison']) await app.queues.getQueueClient(queue).clearMessages();
});

describe('a queue message that cannot be done', () => {
  it.each([
    ['is no JSON', 'rubbish {'],
    ['lacks a field', '{"kind":"account","account":"/subscriptions/x"}'],
    ['hides the number of its deliveries', '{"dequeueCount":"many","kind":"account"}'],
  ])('because it %s goes to the poison queue as it was, with an error record', async (_, text) => {
    for (const queue of ['fleet-work', 'key-work']) {
      const before = app.records().filter(({ reason }) => reason === 'Poisoned').length;
      await send(queue, text);
      await eventually(`the message in ${queue}-poison`, async () => (await poison(queue)).length === 1);
      expect(await poison(queue)).toEqual([text]);
      const [record] = await eventually('its record', () => {
        const after = app.records().filter(({ reason }) => reason === 'Poisoned');
        return after.length > before && after.slice(before);
      });
      expect(record).toMatchObject({ level: 'error', because: 'InvalidMessage', queue });
      expect(record?.message).toContain(`cmk admin replay ${queue}`);
    }
  });
});

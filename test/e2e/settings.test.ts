import { expect, it } from 'vitest';
import { useApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { TestKey } from '../support/fleet.ts';

// A setting that is wrong must not cost any work, nor drown its one record in others.

const app = useApp({ env: { CMK_VAULTS: 'kv-files', CMK_CANARY: 'some' } });

it('work waits until wrong settings are corrected, with one record that names them', async () => {
  const files = new TestKey(app.azure.world);
  const queues = ['fleet-work', 'key-work'];
  const texts = ['{"kind":"account"}', JSON.stringify(files.keyWork()), 'rubbish'];

  for (const queue of queues) {
    for (const text of texts) await app.queues.getQueueClient(queue).sendMessage(text);
  }

  const visible = async (queue: string) =>
    (await app.queues.getQueueClient(queue).peekMessages({ numberOfMessages: 32 })).peekedMessageItems.length;

  await eventually('all messages are put back', async () => {
    const seen = await Promise.all(queues.map(visible));
    const succeeded = app.output().match(/Executed 'Functions\.reconcile\w+' \(Succeeded/g) ?? [];
    // The host deletes a message after it has said that its function succeeded.
    const counts = await Promise.all(queues.map((queue) => app.count(queue)));
    return [...seen, ...counts].join() === '0,0,3,3' && succeeded.length === 6;
  });

  for (const queue of queues) {
    expect(await app.count(`${queue}-poison`)).toBe(0);
  }

  expect(await app.deliver('keyNewVersionCreated', {})).toBe(500);

  const records = app.records().filter(({ level }) => level === 'error');
  expect(records).toMatchObject([
    {
      reason: 'SettingsInvalid',
      message: expect.stringMatching(/CMK_VAULTS.*\n.*CMK_CANARY/),
    },
  ]);
});

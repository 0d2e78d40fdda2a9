import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeEach, describe, expect, it } from 'vitest';
import type { StorageAccount } from '../../local/azure/world.ts';
import { useApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { TestKey } from '../support/fleet.ts';

const app = useApp();

const PROJECT = join(import.meta.dirname, '../..');
const inUse = (account: StorageAccount) =>
  account.encryption.keyvaultproperties?.currentVersionedKeyIdentifier?.split('/').at(-1);
const send = (queue: string, text: string) => app.queues.getQueueClient(queue).sendMessage(text);
const poison = async (queue: string): Promise<string[]> => {
  const client = app.queues.getQueueClient(`${queue}-poison`);
  return (await client.peekMessages({ numberOfMessages: 32 })).peekedMessageItems.map(({ messageText }) => messageText);
};

/** `npm run replay -- <queue>`, as an operator runs it. */
async function npmRunReplay(...args: string[]): Promise<{ code: number; output: string }> {
  const env = { ...process.env, AzureWebJobsStorage: app.connectionString };
  try {
    const run = promisify(execFile);
    const { stdout } = await run('npm', ['run', '--silent', 'replay', '--', ...args], { cwd: PROJECT, env });
    return { code: 0, output: stdout };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}

beforeEach(async () => {
  for (const queue of ['key-work-poison', 'fleet-work-poison', 'account-work-poison'])
    await app.queues.getQueueClient(queue).clearMessages();
});

describe('a queue message that cannot be done', () => {
  it.each([
    ['is no JSON', 'rubbish {'],
    ['is base64, as other hosts write', Buffer.from('{"kind":"account"}').toString('base64')],
    ['is JSON of another kind', '{"hello":"world"}'],
    ['lacks a field', '{"kind":"account","account":"/subscriptions/x"}'],
    ['is a number', '42'],
    ['hides the number of its deliveries', '{"dequeueCount":"many","kind":"account"}'],
  ])('because it %s goes to the poison queue as it was, with an error record', async (_, text) => {
    for (const queue of ['fleet-work', 'account-work', 'key-work']) {
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

describe('npm run replay', () => {
  it('has the account moved that a poison message of version 2 is about', async () => {
    const files = new TestKey(app.azure.world, 'kv-records');
    const account = files.account();
    const indexed = files.add({ publish: true });
    await eventually('the account is in the index', () => inUse(account) === indexed.version);
    const next = files.add();
    await app.queues.getQueueClient('account-work-poison').sendMessage(JSON.stringify(files.accountWork(account)));
    expect(await npmRunReplay('account-work')).toEqual({
      code: 0,
      output: '1 message of account-work-poison requeued to account-work.\n',
    });
    await eventually('the account to move', () => inUse(account) === next.version);
    expect(await poison('account-work')).toEqual([]);
  });

  it('leaves what is not a message of the app, and says so by its exit code', async () => {
    await app.queues.getQueueClient('key-work-poison').sendMessage('rubbish');
    const { code, output } = await npmRunReplay('key-work');
    expect(code).toBe(1);
    expect(output).toBe('note\tNot a message of this app, left in key-work-poison: "rubbish"\n');
  });

  it('explains itself without a queue', async () => {
    expect(await npmRunReplay()).toEqual({
      code: 2,
      output: expect.stringContaining("Missing required argument 'queue'"),
    });
  });
});

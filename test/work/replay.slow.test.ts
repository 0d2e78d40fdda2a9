import { QueueServiceClient } from '@azure/storage-queue';
import { beforeEach, describe, expect, it } from 'vitest';
import { createAppStorage } from '../../local/run/app-storage-client.ts';
import { ACCOUNT_WORK, type AccountWork, KEY_WORK, type KeyWork, parseKeyQueueWork } from '../../src/work/messages.ts';
import { replay } from '../../src/work/replay-client.ts';
import { useAzurite } from '../support/azurite.ts';
import { unsending } from '../support/unsending.ts';
import { STATE } from '../upgrade/version-2-state.ts';

const azurite = useAzurite();
const service = () => QueueServiceClient.fromConnectionString(azurite.connectionString);

const CAUSE = { by: 'KeyNewVersionCreated', ref: 'e1', since: '2026-01-01T00:00:00.000Z' };
const KEY = 'https://kv-files.vault.azure.net/keys/files-key';
const keyWork: KeyWork = { kind: 'key', key: KEY, cause: CAUSE, attempt: 23 };
const accountWork = (n: number): AccountWork => ({
  kind: 'account',
  account: `/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st${n}`,
  location: 'westeurope',
  key: KEY,
  cause: CAUSE,
  attempt: n,
});

const put = (queue: string, ...messages: unknown[]) =>
  Promise.all(
    messages.map((message) =>
      service()
        .getQueueClient(queue)
        .sendMessage(typeof message === 'string' ? message : JSON.stringify(message)),
    ),
  );
const texts = async (queue: string) => {
  const { peekedMessageItems } = await service().getQueueClient(queue).peekMessages({ numberOfMessages: 32 });
  return peekedMessageItems.map(({ messageText }) => messageText);
};
const count = async (queue: string) => (await service().getQueueClient(queue).getProperties()).approximateMessagesCount;

beforeEach(async () => {
  await createAppStorage(azurite.connectionString);
  for (const queue of [KEY_WORK, ACCOUNT_WORK]) {
    await service().getQueueClient(queue).clearMessages();
    await service().getQueueClient(`${queue}-poison`).clearMessages();
  }
});

describe('replay', () => {
  it('moves what a queue of the account before still holds', async () => {
    await put(ACCOUNT_WORK, accountWork(1));
    const old = service().getQueueClient('old-account-work');
    await old.createIfNotExists();
    await old.sendMessage(JSON.stringify(accountWork(7)));
    expect(await replay(service(), ACCOUNT_WORK, old)).toEqual({ replayed: 1, left: [] });
    const moved = (await texts(ACCOUNT_WORK)).map((text) => JSON.parse(text).account);
    expect(moved.sort()).toEqual([accountWork(1).account, accountWork(7).account]);
    expect((await old.getProperties()).approximateMessagesCount).toBe(0);
  });

  it('puts back what version 2 left, also of kinds that the app drops, so that it is logged', async () => {
    const messages = STATE.queues[KEY_WORK] ?? [];
    await put('key-work-poison', ...messages);
    expect(await replay(service(), KEY_WORK)).toEqual({ replayed: messages.length, left: [] });
    const kinds = (await texts(KEY_WORK)).map((text) => parseKeyQueueWork(JSON.parse(text)).kind);
    expect(kinds).toEqual(expect.arrayContaining(['rotation', 'rekey', 'approval', 'accountRevocation', 'revocation']));
  });

  it('puts poison messages back to work, as they were, with their tries counted from zero', async () => {
    await put('account-work-poison', { ...accountWork(1), deferredSince: CAUSE.since }, accountWork(2));
    expect(await replay(service(), ACCOUNT_WORK)).toEqual({ replayed: 2, left: [] });
    const work = (await texts(ACCOUNT_WORK))
      .map((text) => JSON.parse(text))
      .sort((a, b) => (a.account < b.account ? -1 : 1));
    expect(work).toEqual([
      { ...accountWork(1), attempt: 0 },
      { ...accountWork(2), attempt: 0 },
    ]);
    expect(await count('account-work-poison')).toBe(0);
  });

  it('counts those that another client has taken for the moment', async () => {
    await put('account-work-poison', accountWork(1), accountWork(2));
    await service().getQueueClient('account-work-poison').receiveMessages({ visibilityTimeout: 120 });
    expect(await replay(service(), ACCOUNT_WORK)).toEqual({ replayed: 1, left: [], hidden: 1 });
  });

  it('puts them back for as long as it takes', async () => {
    await put('key-work-poison', keyWork);
    await replay(service(), KEY_WORK);
    const { peekedMessageItems } = await service().getQueueClient(KEY_WORK).peekMessages();
    expect(peekedMessageItems.map(({ expiresOn }) => expiresOn.getUTCFullYear())).toEqual([9999]);
  });

  it('takes none off that it could not put back', async () => {
    await put('key-work-poison', keyWork);
    await expect(replay(unsending(azurite.connectionString), KEY_WORK)).rejects.toThrow('queue down');
    expect(await count('key-work-poison')).toBe(1);
  });

  it('takes no message of the other queue', async () => {
    await put('key-work-poison', keyWork);
    await put('account-work-poison', accountWork(1));
    await replay(service(), KEY_WORK);
    expect((await texts(KEY_WORK)).map((text) => JSON.parse(text))).toEqual([{ ...keyWork, attempt: 0 }]);
    expect(await texts(ACCOUNT_WORK)).toEqual([]);
    expect(await count('account-work-poison')).toBe(1);
  });

  it('leaves what is not ours where it is, and says what it is', async () => {
    await put('account-work-poison', 'rubbish', { kind: 'account' }, accountWork(1), keyWork);
    const result = await replay(service(), ACCOUNT_WORK);
    expect(result.replayed).toBe(1);
    expect([...result.left].sort()).toEqual(['rubbish', '{"kind":"account"}', JSON.stringify(keyWork)].sort());
    expect(await count('account-work-poison')).toBe(3);
  });

  it('goes through more messages than a queue hands out at a time', async () => {
    await put('account-work-poison', ...Array.from({ length: 70 }, (_, n) => accountWork(n)));
    expect(await replay(service(), ACCOUNT_WORK)).toEqual({ replayed: 70, left: [] });
    expect(await count(ACCOUNT_WORK)).toBe(70);
  });

  it('finds nothing to do in an empty queue', async () => {
    expect(await replay(service(), ACCOUNT_WORK)).toEqual({ replayed: 0, left: [] });
  });
});

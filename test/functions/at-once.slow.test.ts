import { describe, expect, it } from 'vitest';
import type { StorageAccount } from '../../local/azure/world.ts';
import { enqueueKey } from '../../src/events/enqueue-key.ts';
import type { KeyEvent } from '../../src/events/key-vault-event.ts';
import { KeyLookAtOnce, lookAtOnce } from '../../src/functions/at-once.ts';
import type { Services } from '../../src/services.ts';
import { ACCOUNT_WORK, KEY_WORK } from '../../src/work/messages.ts';
import { eventually } from '../support/eventually.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const key = () => new TestKey(wire.azure.world);
const waiting = async (queue: string): Promise<number> =>
  (await wire.queues.getQueueClient(queue).getProperties()).approximateMessagesCount ?? 0;
const versionOf = ({ encryption }: StorageAccount) => encryption.keyvaultproperties?.keyversion;
const event = (of: TestKey): KeyEvent => ({
  id: crypto.randomUUID(),
  type: 'Microsoft.KeyVault.KeyNewVersionCreated',
  time: new Date().toISOString(),
  version: '0'.repeat(32),
  key: wire.services().settings.vaults.key(of.id()) ?? expect.fail('The vault is not managed.'),
});
const versionLists = (of: TestKey, since: number) =>
  wire.azure.requests.since(since).filter(({ path }) => path.startsWith(`/keys/${of.name}/versions`)).length;

describe('an event', () => {
  it('moves the accounts of its key where it arrives, and leaves nothing in the queues', async () => {
    const files = key();
    const accounts = Array.from({ length: 4 }, () => files.account());
    const next = files.add();
    await lookAtOnce(event(files), wire.services(), wire.log);
    // An event is answered after eight seconds at most; what takes a busy machine longer goes on where it is.
    await eventually(
      'nothing waits',
      async () => (await waiting(KEY_WORK)) + (await waiting(ACCOUNT_WORK)) === 0,
      60_000,
    );
    expect(accounts.map(versionOf)).toEqual(accounts.map(() => next.version));
    expect(wire.records.filter(({ reason }) => reason === 'Moved')).toHaveLength(4);
  });

  it('leaves to the queue what is more than ten accounts, and what Azure refuses now', async () => {
    const files = key();
    const accounts = Array.from({ length: 13 }, () => files.account());
    const refused = accounts[0] as StorageAccount;
    files.add();
    const path = `storageAccounts/${refused.name}\\?`;
    wire.azure.faults.add([
      { match: { method: 'PATCH', path }, answer: { status: 429, headers: { 'Retry-After': '40' } } },
    ]);
    const services = wire.services();
    const look = new KeyLookAtOnce(services, wire.log);
    const { settled } = await enqueueKey(event(files), services, (work) => look.begin(work), wire.log);
    await settled;
    // Somebody looks later how far the rotation is.
    expect(await waiting(KEY_WORK)).toBe(1);
    const back = wire.sent.flatMap(({ delaySeconds, work }) => (delaySeconds >= 40 ? work : []));
    const inPlace = wire.records.filter(({ reason }) => reason === 'Moved').length;
    expect(inPlace).toBeLessThanOrEqual(10);
    expect(await waiting(ACCOUNT_WORK)).toBe(accounts.length - inPlace);
    // Others beside it may be put off, too: the place is left alone.
    if (back.length > 0) expect(back).toContainEqual(expect.objectContaining({ kind: 'account', account: refused.id }));
  });

  it.each(['the key', 'an account'])(
    'whose look at %s is ended stays in the queue, for whoever comes',
    async (what) => {
      const files = key();
      const account = files.account();
      const next = files.add();
      const services = wire.services();
      const hang = () => new Promise<never>(() => {});
      const dead: Services =
        what === 'the key'
          ? { ...services, keys: { ...services.keys, versionPages: hang as never, listVersions: hang } }
          : { ...services, leases: { acquire: hang } };
      void lookAtOnce(event(files), dead, wire.log);
      const queue = what === 'the key' ? KEY_WORK : ACCOUNT_WORK;
      await eventually('it is in the queue', async () => (await waiting(queue)) === 1);
      expect(versionOf(account)).not.toBe(next.version);
      const [message] = (await wire.queues.getQueueClient(queue).peekMessages()).peekedMessageItems;
      expect(message).toBeUndefined(); // out of sight still
    },
  );

  it('is taken out of the queue however often its message was kept out of sight, which changes nothing in it', async () => {
    const work = key().keyWork();
    const held = await wire.services().heldMessages.hold(KEY_WORK, work, 60);
    const { signal } = new AbortController();
    await held.keep(60, signal);
    await expect(held.keep(60, AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' });
    await held.keep(1, signal);
    const peeked = async () => (await wire.queues.getQueueClient(KEY_WORK).peekMessages()).peekedMessageItems;
    await eventually('it is in sight', async () => (await peeked()).length === 1);
    expect(JSON.parse((await peeked())[0]?.messageText ?? '')).toEqual(work);
    await held.remove();
    expect(await waiting(KEY_WORK)).toBe(0);
  });

  it('is not accepted when it cannot be put into the queue', async () => {
    const files = key();
    const queue = wire.queues.getQueueClient(KEY_WORK);
    await queue.delete();
    try {
      await expect(lookAtOnce(event(files), wire.services(), wire.log)).rejects.toThrow();
    } finally {
      await queue.create();
    }
  });
});

describe('messages about one key', () => {
  it('that come together are two looks at most: one under way, and one that began after they came', async () => {
    const [files, other] = [key(), key()];
    files.account();
    const services = wire.services();
    const since = wire.azure.requests.last;
    await new KeyLookAtOnce(services, wire.log).run(files.keyWork());
    const one = versionLists(files, since);
    const before = wire.azure.requests.last;
    const all = [...Array(8).keys()].map(() => new KeyLookAtOnce(services, wire.log).run(files.keyWork()));
    all.push(new KeyLookAtOnce(services, wire.log).run(other.keyWork()));
    expect(await Promise.all(all)).toEqual(all.map(() => ({ outcome: 'done' })));
    expect(versionLists(files, before)).toBeLessThanOrEqual(2 * one);
    expect(versionLists(other, before)).toBeGreaterThan(0);
  });

  it('that cannot be looked at are put back by one of them', async () => {
    const files = key();
    wire.azure.faults.add([{ match: { host: 'kv-files.vault.azure.net', path: files.name }, answer: { status: 429 } }]);
    const services = wire.services();
    const all = [...Array(4).keys()].map(() => new KeyLookAtOnce(services, wire.log).run(files.keyWork()));
    const outcomes = (await Promise.all(all)).map(({ outcome }) => outcome);
    expect(outcomes.filter((outcome) => outcome === 'retry').length).toBeLessThanOrEqual(2);
    expect(outcomes[0]).toBe('retry');
  });

  it('are put back by one that is not given up, when the one that leads is', async () => {
    const files = key();
    wire.azure.faults.add([{ match: { host: 'kv-files.vault.azure.net', path: files.name }, answer: { status: 500 } }]);
    const attempts = [0, 23, 0];
    const all = attempts.map((attempt) =>
      new KeyLookAtOnce(wire.services(), wire.log).run({ ...files.keyWork(), attempt }),
    );
    expect((await Promise.all(all)).map(({ outcome }) => outcome)).toEqual(['retry', 'retry', 'retry']);
  });
});

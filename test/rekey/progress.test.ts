import { describe, expect, it } from 'vitest';
import { RekeyTask } from '../../src/accounts/rekey-task.ts';
import type { FleetUse } from '../../src/fleet/fleet-index.ts';
import { isSubjectSettled, type RekeyOrder, type RekeySubject, wayOf } from '../../src/fleet/rekey-order.ts';
import { progressOf } from '../../src/rekey/progress.ts';
import { DONE, type Outcome } from '../../src/work/outcome.ts';
import { accountId } from '../rollout/rollout-fixture.ts';
import { day, KEY, SUBSCRIPTION } from '../support/keys.ts';
import { MemoryRekeys } from '../support/memory-rekeys.ts';
import { rekeyOrder } from '../support/rekeys.ts';

const now = day(101);
const at = now.toISOString();
const failure = { reason: 'IdentityHasNoAccess', detail: 'no role', at, since: day(100).toISOString() } as const;
const subject = (account: string, state: RekeySubject['state'], more: Partial<RekeySubject> = {}): RekeySubject => ({
  ...{ account, state, at, location: 'westeurope' },
  ...more,
});

async function orderWith(change: Partial<RekeyOrder>, subjects: readonly RekeySubject[]) {
  const store = new MemoryRekeys();
  const rekeys = store.port();
  const order = rekeyOrder(change);
  store.has(order);
  for (const one of subjects) await rekeys.put(order.id, one);
  return { store, rekeys, order };
}

describe('how far a re-key is', () => {
  async function progress(
    change: Partial<RekeyOrder>,
    subjects: readonly RekeySubject[],
    uses: readonly string[] | 'noIndex' = [],
    subscriptions?: readonly string[],
  ) {
    const { rekeys, order } = await orderWith(change, subjects);
    const fleet = {
      async *uses() {
        if (uses === 'noIndex') throw new Error('no index');
        for (const account of uses) yield { account } as FleetUse;
      },
    };
    return progressOf(order, { rekeys, fleet, inSight: async () => subscriptions });
  }
  const all = [
    subject('/A/moved', 'moved'),
    subject('/a/back', 'back'),
    subject('/a/left', 'left'),
    subject('/a/gone', 'gone'),
    subject('/a/begun', 'begun'),
    subject('/A/failed', 'begun', { failure }),
    subject('/a/again', 'begun', { failure: { ...failure, since: day(99).toISOString() } }),
  ];

  it('is told by what it did, and by who is known to use the old key still and has not failed', async () => {
    const told = { moved: 1, left: 1, gone: 1, failed: 1, waiting: 2, incomplete: false };
    const uses = ['/a/begun', '/a/BEGUN', '/a/new', '/a/FAILED'];
    expect(await progress({}, all, uses)).toMatchObject({ ...told, failures: [{ account: '/A/failed' }] });
  });

  it('does not wait for what is left out, and says that it stays', async () => {
    const [named, other] = [SUBSCRIPTION, '99999999-9999-4999-8999-999999999999'];
    const uses = [1, 2].flatMap((n) => [accountId(n), accountId(n).replace(named, other)]);
    const stays = `2 accounts and scopes use the old key in subscription ${other}`;
    expect(await progress({}, [], uses, [named.toUpperCase()])).toMatchObject({
      waiting: 2,
      toDo: [expect.stringContaining(stays)],
    });
    expect(await progress({}, [], uses)).toMatchObject({ waiting: 4, toDo: [] });
  });

  it.each([
    [21, 'in one more subscription'],
    [300, '280 accounts and scopes use the old key in 280 more subscriptions'],
  ])('names no more subscriptions that are left out than its row holds, of %i', async (count, last) => {
    const id = (n: number) => `${String(n).padStart(8, '0')}-9999-4999-8999-999999999999`;
    const uses = Array.from({ length: count }, (_, n) => accountId(n).replace(SUBSCRIPTION, id(n)));
    const { toDo } = await progress({}, [], uses, [SUBSCRIPTION]);
    expect(toDo).toHaveLength(21);
    expect(toDo.at(-1)).toContain(last);
  });

  it('is told by what it did alone where it is taken back: whatever is not back waits', async () => {
    const told = { moved: 1, left: 1, gone: 1, failed: 1, waiting: 3, incomplete: false };
    expect(await progress({ state: 'takingBack' }, all, 'noIndex')).toMatchObject(told);
  });

  it('may be further than is known where the index cannot be read, unless it is done', async () => {
    expect((await progress({}, [], 'noIndex')).incomplete).toBe(true);
    expect((await progress({ state: 'done' }, [], 'noIndex')).incomplete).toBe(false);
  });

  it('says once what it waits for, and what its last look could not read', async () => {
    const gaps = ['The accounts of one cannot be listed.', 'The accounts of another cannot be listed.'];
    const waits = { reason: 'RekeyUnverified', detail: gaps.join(' ') } as const;
    expect((await progress({ waits, verified: { on: at, gaps } }, [])).toDo).toEqual(gaps);
    // What it has sent since then is newer than that look.
    const sent = { reason: 'RekeyUnderWay', detail: 'It is sent.' } as const;
    expect((await progress({ waits: sent, verified: { on: at, gaps } }, [])).toDo).toEqual(['It waits: It is sent.']);
    const revoked = { reason: 'RevocationOpen', detail: 'It is revoked.' } as const;
    expect((await progress({ waits: revoked }, [])).toDo).toEqual(['It waits: It is revoked.']);
  });

  it('leaves to a person what was not found when all went back', async () => {
    const { toDo } = await progress({ state: 'takenBack' }, [subject('/a/gone', 'gone')]);
    expect(toDo).toEqual([expect.stringContaining('1 account or scope was not found any more')]);
    expect((await progress({ state: 'takenBack' }, [])).toDo).toEqual([]);
  });
});

describe('an account of a re-key', () => {
  const ST = accountId(1);
  const keyOf = (id: string) => ({ ...KEY, id, name: id.split('/').at(-1) ?? '' });
  async function task(change: Partial<RekeyOrder>, subjects: readonly RekeySubject[]) {
    const { store, rekeys, order } = await orderWith(change, subjects);
    const way = wayOf(order);
    if (!way) throw new Error('It does not move.');
    const keys = { way, from: keyOf(way.from), to: keyOf(way.to) };
    const place = { account: ST, location: 'westeurope' };
    return {
      store,
      order,
      task: await RekeyTask.begin(keys, place, { rekeys, inSight: async () => undefined, now: () => now }),
    };
  }
  const use = (id: string) => ({ vaultUri: KEY.vault.uri, keyName: keyOf(id).name, pinned: '', current: undefined });

  it.each<[RekeySubject['state'], boolean]>([
    ['none', false],
    ['begun', true],
    ['moved', true],
    ['left', false],
  ])('that is %s goes back, or not: what may have been moved does, and nothing else', async (state, goes) => {
    expect((await task({ state: 'takingBack' }, [subject(ST, state)])).task.covers(undefined)).toBe(goes);
  });

  it.each<[RekeySubject['state'], RekeySubject['state']]>([
    ['begun', 'moved'],
    // A person has put it there: it is not taken back.
    ['none', 'left'],
  ])('that is %s, and found on the new key, is %s', async (state, next) => {
    const { store, order, task: of } = await task({}, [subject(ST, state)]);
    await of.saw(undefined, use(order.to) as never);
    expect(store.subjects(order.id)).toMatchObject([{ state: next }]);
  });

  it('follows its own key where the new one cannot be read, and waits where the order sends it', async () => {
    const { task: of } = await task({}, [subject(ST, 'none')]);
    const keys = { listVersions: () => Promise.reject(new Error('closed')) };
    expect(await of.listTo(keys, {})).toEqual([]);
    await expect(of.listTo(keys, { rekey: 'order-1' })).rejects.toThrow('closed');
  });

  it('that has failed, and is found on the new key, has failed no longer', async () => {
    const { store, order, task: of } = await task({}, [subject(ST, 'moved', { failure })]);
    await of.saw(undefined, use(order.to) as never);
    expect(store.subjects(order.id)[0]).not.toHaveProperty('failure');
  });

  it.each<[RekeySubject['state'], RekeySubject['state'], boolean]>([
    // It failed before it was begun, and a person put it there.
    ['none', 'left', true],
    ['left', 'left', true],
    ['begun', 'begun', false],
    ['moved', 'moved', false],
  ])('that was %s when it failed, and is on the new key when all goes back, is %s', async (state, next, settled) => {
    const was = subject(ST, state, { failure: { ...failure, since: day(99).toISOString() } });
    const { store, order, task: of } = await task({ state: 'takingBack' }, [was]);
    await of.saw(undefined, use(order.to) as never);
    const [row] = store.subjects(order.id);
    expect(row).toMatchObject({ state: next });
    expect(row && isSubjectSettled(row, order)).toBe(settled);
  });

  const [mine, others] = [{ rekey: 'order-1' }, {}];
  const later: Outcome = { outcome: 'retry', reason: 'Throttled', detail: '', counts: false, delaySeconds: 60 };
  it.each<[string, boolean, Outcome, { rekey?: string }, (task: RekeyTask) => Promise<void> | void]>([
    ['has nothing on the old key', true, DONE, mine, () => {}],
    ['has moved, and whose scopes wait for lists', true, later, others, (of) => of.moved(undefined)],
    ['was put elsewhere as it was to be moved', true, DONE, mine, (of) => of.stays(undefined, mine, false)],
    ['stays where it is for now', false, DONE, mine, (of) => of.stays(undefined, mine, true)],
    ['is come back to', false, later, mine, () => {}],
    ['others have looked at', false, DONE, others, () => {}],
  ])('that %s is done with: %s', async (_, isDone, outcome, work, look) => {
    const { store, order, task: of } = await task({}, []);
    const rekeys = store.port();
    await rekeys.noteSent(order.id, [ST, accountId(2)], 6);
    await look(of);
    await of.looked(outcome, work);
    expect([...(await rekeys.sent(order.id)).keys()]).toEqual(
      [...(isDone ? [] : [ST]), accountId(2)].map((id) => id.toLowerCase()),
    );
  });

  it('that has gone back is done with when all of it has that had moved', async () => {
    const {
      store,
      order,
      task: of,
    } = await task({ state: 'takingBack' }, [subject(ST, 'moved'), subject(ST, 'moved', { scope: 'one' })]);
    const rekeys = store.port();
    await rekeys.noteSent(order.id, [ST], 6);
    await of.moved(undefined);
    await of.looked(later, mine);
    expect((await rekeys.sent(order.id)).size).toBe(1);
    await of.moved('one');
    await of.looked(later, mine);
    expect((await rekeys.sent(order.id)).size).toBe(0);
  });

  it('stops all of it where as many have failed as may, each counted once', async () => {
    const fails = async (maxFailures: number) => {
      const scoped = subject(ST.toUpperCase(), 'none', { scope: 'scope1', failure });
      const { task: of } = await task({ maxFailures }, [subject(ST, 'none'), scoped]);
      return (await of.failed('IdentityHasNoAccess', 'no role')).stopped;
    };
    expect([await fails(1), await fails(2)]).toEqual([true, false]);
  });
});

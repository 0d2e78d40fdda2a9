import { describe, expect, it } from 'vitest';
import { reconcileAndNote } from '../../src/accounts/reconcile-and-note.ts';
import type { PacedCalls, Turns } from '../../src/azure/turns.ts';
import type { Services } from '../../src/services.ts';
import type { AccountWork } from '../../src/work/messages.ts';
import { eventually } from '../support/eventually.ts';
import { pinnedTo, useAccounts } from './account-fixture.ts';

const { audited, expireLease, instance, key, reasons, reconcile, requestsOf, wire } = useAccounts();

const PAUSED = { reason: 'Paused', detail: 'A change window.', delaySeconds: 60 } as const;

describe('a pause that stands', () => {
  it('holds an account before anything of it is read, and is no try', async () => {
    const files = key();
    const account = files.account();
    const services = instance();
    const rollout: Services['rollout'] = { ...services.rollout, paused: async () => PAUSED };
    const since = wire.azure.requests.last;
    const outcome = await reconcileAndNote(files.accountWork(account), { ...services, rollout }, wire.log);
    expect(outcome).toMatchObject({ outcome: 'retry', reason: 'Paused', counts: false, delaySeconds: 60 });
    expect(wire.azure.requests.since(since)).toEqual([]);
  });
});

it('an account that another instance is at is left to it, which is no try, and is come back to', async () => {
  const files = key();
  const account = files.account();
  const next = files.add();
  const lease = await instance().leases.acquire(`account/${account.id.split('/')[2]}/${account.name}`);
  const since = wire.azure.requests.last;
  const work = { ...files.accountWork(account), turn: wire.azure.clock.nowMs() };
  const services = instance();
  // Messages about what is left alone come back for minutes: none of them is to take a turn from others.
  for (let times = 0; times < 20; times += 1) await reconcile({ ...work, turn: undefined }, services);
  const outcome = await reconcile(work, services);
  expect(outcome).toMatchObject({ outcome: 'retry', reason: 'Busy', counts: false, delaySeconds: expect.any(Number) });
  // It is given back by now: whoever gave it back once more would give what somebody else has taken since.
  expect(outcome).toHaveProperty('with.turn', undefined);
  const nowMs = wire.azure.clock.nowMs();
  const place = { subscriptionId: account.id.split('/')[2] ?? '', location: account.location };
  const within5Minutes = (turns: Turns, calls: PacedCalls): number =>
    Array.from({ length: 900 }, () => turns.take(place, calls, nowMs)).filter((ms) => ms < 300_000).length;
  for (const calls of [{ writes: 1 }, { reads: 1 }]) {
    expect(within5Minutes(services.turns, calls)).toBe(within5Minutes(wire.services().turns, calls));
  }
  expect(requestsOf(account, since).account).toEqual([]);
  await lease?.release();
  expect(await reconcile(files.accountWork(account))).toEqual({ outcome: 'done' });
  expect(pinnedTo(account)).toBe(next.version);
});

describe('a pause that is ordered after the message was taken up', () => {
  it.each(['that says how the account was seen', 'that says nothing of it'])(
    'holds the move of one %s',
    async (how) => {
      const files = key();
      const account = files.account();
      const seen = { pinned: files.first.version, current: files.first.version };
      const work: AccountWork = { ...files.accountWork(account), ...(how.includes('how') ? { seen } : {}) };
      files.add();
      const services = instance();
      const rollout: Services['rollout'] = { ...services.rollout, pausedNow: () => PAUSED };
      const since = wire.azure.requests.last;
      expect(await reconcile(work, { ...services, rollout })).toMatchObject({ outcome: 'retry', reason: 'Paused' });
      expect(requestsOf(account, since).account).toEqual(['GET']);
      expect(pinnedTo(account)).toBe(files.first.version);
    },
  );
});

describe('an instance that is killed between announcing a move by a guess and reading the account', () => {
  const MINUTE = 60_000;

  /** @returns what is on record, when a person had made the move so long before; negative: after */
  async function onRecord(minutes: number | undefined) {
    const files = key();
    const account = files.account();
    const seen = { pinned: files.first.version, current: files.first.version };
    const next = files.add();
    const services = instance();
    const work = files.accountWork(account);
    let died = false;
    const get = (): Promise<never> => {
      died = true;
      return new Promise(() => {});
    };
    void reconcile({ ...work, seen }, { ...services, accounts: { ...services.accounts, get } });
    await eventually('the move is announced', async () => died);
    const rotatedOn = minutes === undefined ? undefined : new Date(services.now().getTime() - minutes * MINUTE);
    Object.assign(account.encryption.keyvaultproperties ?? {}, {
      keyversion: next.version,
      currentVersionedKeyIdentifier: files.id(next),
      lastKeyRotationTimestamp: rotatedOn?.toISOString(),
    });
    for (const delaySeconds of [46, 46]) {
      await expireLease(account);
      expect(await reconcile(work, instance())).toMatchObject({ outcome: 'retry', reason: 'Busy', delaySeconds });
    }
    await expireLease(account);
    expect(await reconcile(work, instance())).toEqual({ outcome: 'done' });
    return (await audited(account)).map(({ reason, details }) => ({ reason, provenBy: details?.provenBy }));
  }

  it('has not made the move that a person had made before', async () => {
    expect(await onRecord(6)).toEqual([]);
  });

  it('says that it cannot be told where a person made it long after', async () => {
    expect(await onRecord(-11)).toEqual([{ reason: 'MoveUnproven', provenBy: 'look' }]);
  });

  it.each([0, 4, -4, undefined])(
    'has moved it, by what a later look shows, where nothing says otherwise (%s)',
    async (minutes) => {
      expect(await onRecord(minutes)).toEqual([{ reason: 'Moved', provenBy: 'look' }]);
    },
  );
});

it('a version that has come since the rotation was looked at has canaries of its own', async () => {
  const services = wire.services({ CMK_CANARY: '1' });
  const files = key();
  const [canary, other] = [files.account(), files.account()].sort((a, b) => (a.name < b.name ? -1 : 1));
  if (!canary || !other) throw new Error('There are too few accounts.');
  const look = (account: typeof other) => reconcileAndNote(files.accountWork(account), services, wire.log);
  for (const account of [canary, other]) expect(await look(account)).toEqual({ outcome: 'done' });
  // Sooner than the stage of before is read anew.
  const next = files.add();
  expect(await look(other)).toMatchObject({ outcome: 'retry', reason: 'CanaryUnderWay', counts: false });
  expect(other.encryption.keyvaultproperties?.keyversion).toBe(files.first.version);
  expect(await look(canary)).toEqual({ outcome: 'done' });
  expect(canary.encryption.keyvaultproperties?.keyversion).toBe(next.version);
});

it('what the drift check is to leave stays, and what is known of its last look', async () => {
  const files = key();
  const scopes = ['scope1', 'scope2'].map((name) => ({ name, key: files.use() }));
  const account = files.account('automaticEmpty', { scopes });
  const exemptions = [
    { resource: account.id, code: 'LaggingAutomaticVersion', reason: 'CHG-1', until: '2999-12-31' },
    { resource: '*/encryptionScopes/scope2', code: 'ScopeStaleKeyVersion', reason: 'CHG-2', until: '2999-12-31' },
  ];
  const services = wire.services({ CMK_EXEMPTIONS: JSON.stringify(exemptions) });
  const work = files.accountWork(account);
  wire.azure.world.settings.refreshAutomaticOnPatch = false;
  const next = files.add();
  const look = (by: string) => reconcileAndNote({ ...work, cause: { ...work.cause, by } }, services, wire.log);
  const lookedAt = async (of?: string) => {
    for await (const { scope, outcome } of services.fleet.uses(files.id())) if (scope === of) return outcome;
    return undefined;
  };
  const keyOf = (scope: string) => account.encryptionScopes.get(scope)?.keyVaultProperties?.keyUri;
  expect(await look('drift')).toEqual({ outcome: 'done' });
  expect(keyOf('scope1')).toBe(files.id(next));
  expect(keyOf('scope2')).toBe(files.id(files.first));
  expect(await lookedAt('scope1')).toMatchObject({ reason: 'Moved' });
  expect([await lookedAt(), await lookedAt('scope2')]).toEqual([undefined, undefined]);
  // An event still has Azure asked, and moves the scope.
  const since = wire.azure.requests.last;
  expect(await look('event')).toEqual({ outcome: 'done' });
  expect(requestsOf(account, since).account).toContain('PATCH');
  expect(keyOf('scope2')).toBe(files.id(next));
  const asked = await lookedAt();
  expect(asked).toMatchObject({ reason: 'LaggingAutomaticVersion' });
  expect(await look('drift')).toEqual({ outcome: 'done' });
  expect(await lookedAt()).toEqual(asked);
  expect(reasons().filter((reason) => reason === 'LeftByCheck')).toHaveLength(3);
});

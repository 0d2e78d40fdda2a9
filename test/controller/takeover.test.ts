import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { reconcileKey } from '../../src/controller/reconcile-key.ts';
import { reconcileSubscription } from '../../src/controller/reconcile-subscription.ts';
import type { FleetServices } from '../../src/controller/worker-ports.ts';
import { KEY, keyVersion, SUBSCRIPTION, VAULT, versionName } from '../support/keys.ts';
import { MemoryLeases } from '../support/memory-leases.ts';
import { account, CAUSE, Fleet, openStates, saveState } from './fleet.ts';

const leasesOf = (fleet: Fleet) => new MemoryLeases(() => new Date(fleet.clock));
const reasonsOf = ({ logs }: Fleet) => logs.map(({ reason }) => reason);
const never = new Promise<never>(() => {});

it('A worker that announced 1,000 keys and died is taken over, and its move is recorded as observed', async () => {
  const fleet = await Fleet.listed(account('st1'));
  const leases = leasesOf(fleet);
  const keys = { listVersions: async () => [keyVersion(1), keyVersion(2)] };
  const ports = { leases, keys, states: openStates([keyVersion(1), keyVersion(2)], () => new Date(fleet.clock)) };
  const others = Array.from({ length: 999 }, (_, n) => `${VAULT.uri}/keys/a-long-name-of-a-key-${n}`);
  const targets = Object.fromEntries([KEY.id, ...others].map((key) => [key, `${key}/${versionName(2)}`]));
  const pass = { startedOn: new Date(fleet.clock).toISOString(), targets };

  await saveState({ pass, unclean: 1, usage: {} }, leases);
  fleet.add(account('st1', { version: 2 }));
  await fleet.pass('key', KEY.id, ports);

  expect(fleet.items.all.map(({ kind }) => kind)).toContain('verify');
  expect(leases.state(`subscription/${SUBSCRIPTION}`)).toMatchObject({ unverified: { targets } });

  fleet.clock += 120_000;
  await fleet.pass('list', '', ports);

  expect(fleet.details).toMatchObject([{ to: `${KEY.id}/${versionName(2)}`, provenBy: 'read' }]);
  expect(reasonsOf(fleet).filter((reason) => /^Move/.test(reason))).toEqual(['MoveObserved']);
  expect(fleet.items.all.map(({ kind }) => kind)).not.toContain('verify');
  expect(leases.state(`subscription/${SUBSCRIPTION}`)).not.toHaveProperty('unverified');
});

/** Runs a pass whose worker dies while Azure does not answer its list. */
async function dieInList(subscription: string, fleet: Fleet, leases: MemoryLeases): Promise<void> {
  const ports = fleet.ports();
  let isDead = false;
  const sleep: FleetServices['sleep'] = (ms) => (isDead ? never : ports.sleep(ms));
  const list = async function* () {
    yield await never;
  };
  const until = new Date(fleet.clock + 240_000);
  const dying = { ...ports, leases, sleep, accounts: { ...ports.accounts, list } };

  reconcileSubscription(subscription, until, dying);
  for (let n = 0; n < 50; n += 1) await setImmediate();

  isDead = true;
  for (let n = 0; n < 50; n += 1) await setImmediate();

  leases.kill();
}

describe('A list that kills its worker', () => {
  it('A list that kills its worker is counted each time, postponed after three dead workers, and reported', async () => {
    const fleet = new Fleet();
    const leases = leasesOf(fleet);
    const due = new Date(fleet.clock);

    fleet.items.put({ subscription: SUBSCRIPTION, kind: 'list', about: '', due, since: due, cause: CAUSE });

    for (let worker = 0; worker < 6; worker += 1) {
      await dieInList(SUBSCRIPTION, fleet, leases);
      fleet.clock += 600_000;
    }

    expect(fleet.items.all).toMatchObject([{ kind: 'list', reason: 'SubscriptionFails' }]);
    expect(fleet.items.all[0]?.attempts).toBeGreaterThan(2);
    expect(reasonsOf(fleet)).toContain('LeaseTakenOver');
    expect(reasonsOf(fleet)).toContain('SubscriptionFails');
  });

  it('A list that kills its worker does not stop the decisions on keys that other subscriptions use', async () => {
    const fleet = await Fleet.listed(account('st1'));
    const other = '22222222-2222-4222-8222-222222222222';
    const leases = leasesOf(fleet);
    const ports = () => ({ ...fleet.ports(), inSight: async () => [SUBSCRIPTION, other] });
    const cause = { ...CAUSE, by: 'KeyNewVersionCreated' };

    await reconcileKey(KEY, cause, ports());

    expect(fleet.rollouts.all).toEqual([]);

    for (let worker = 0; worker < 2; worker += 1) {
      await dieInList(other, fleet, leases);
      fleet.clock += 120_000;
    }

    await reconcileKey(KEY, cause, ports());

    expect(fleet.rollouts.all).toHaveLength(1);
  });
});

it('A pass that fails while its worker lives is not counted as a dead worker', async () => {
  const fleet = await Fleet.listed(account('st1'));
  const leases = leasesOf(fleet);
  const { rows } = fleet.ports();
  const put = () => Promise.reject(new Error('The table does not answer.'));
  for (let pass = 0; pass < 6; pass += 1) {
    await expect(fleet.pass('list', '', { leases, rows: { ...rows, put } })).rejects.toThrow('The table');

    fleet.clock += 3_600_000;
  }

  expect(reasonsOf(fleet)).not.toContain('SubscriptionFails');

  await fleet.pass('list', '', { leases });

  expect(fleet.uses()).toHaveLength(1);
});

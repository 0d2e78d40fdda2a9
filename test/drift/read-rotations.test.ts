import { expect, it } from 'vitest';
import { Turns } from '../../src/azure/turns.ts';
import { followUnfinished, type RotationServices, readRotations } from '../../src/drift/read-rotations.ts';
import type { Finding } from '../../src/drift/report.ts';
import { createFleetIndex } from '../../src/fleet/create-fleet-index.ts';
import { createRotationNotes } from '../../src/fleet/rotation-notes.ts';
import { type ManagedKey, managedKey } from '../../src/keys/managed-vaults.ts';
import { KnownOrders } from '../../src/orders/known-orders.ts';
import { NO_ORDERS } from '../../src/orders/standing-orders.ts';
import { DEFAULT_AUTOFIX } from '../../src/settings/fixable.ts';
import type { Work } from '../../src/work/messages.ts';
import { accountId, fleetUse } from '../rollout/rollout-fixture.ts';
import { day, keyVersion, versionName } from '../support/keys.ts';
import { MemoryFleetTable } from '../support/memory-fleet-table.ts';
import { key, rules } from './checks/subjects.ts';

/** What a check sends of a key with so many accounts on an old version, one of which is exempt and the last to be named. */
async function sent(
  accounts: number,
  exempt: number,
  pinned = versionName(100),
  canary = 0,
  found: readonly string[] = [],
  scoped: readonly number[] = [],
  seen: 'users' | 'none' | 'not all' = 'users',
): Promise<Work[]> {
  const works: Work[] = [];
  const port = new MemoryFleetTable().port(async (_, effect) => effect());
  const fleet = createFleetIndex(port);
  const at = day(199).toISOString();
  const uses = Array.from({ length: accounts }, (_, n) => fleetUse(n));
  const outcome = { result: 'done', reason: 'StaleKeyVersion', at } as const;
  await fleet.write(
    uses.map((use, n) => ({ put: 'use', use: n === exempt ? { ...use, outcome, pinned, current: pinned } : use })),
  );
  await fleet.write(scoped.map((n) => ({ put: 'use', use: { ...fleetUse(n), scope: 'scope1' } })));
  const drift = {
    ...rules({
      autofix: DEFAULT_AUTOFIX,
      exemptions: [{ resource: accountId(exempt), code: 'StaleKeyVersion', reason: 'CHG-1', until: '2099-01-01' }],
    }).drift,
  };
  const now = () => day(200);
  const services: RotationServices = {
    settings: { refreshAutomatic: true, canary, drift },
    inSight: async () => undefined,
    keys: { listVersions: () => Promise.reject(new Error('They are read already.')) },
    fleet,
    rotationNotes: createRotationNotes(port),
    control: new KnownOrders({ read: async () => NO_ORDERS }, now),
    queue: { send: async (_, work) => void works.push(work) },
    ...{ writeBudgets: [], now },
  };
  const subject = key({ versions: { value: [keyVersion(100), keyVersion(199)] } }, seen === 'users' ? [{}] : []);
  if (seen === 'not all') subject.usage.markIncomplete();
  const log = () => {};
  const unfinished = await readRotations([subject], services, log);
  expect(subject.rotation?.state).toBe(seen === 'users' ? 'stuck' : undefined);
  const findings = found.map(
    (resource) =>
      ({
        resource,
        reason: 'StaleKeyVersion',
        action: { kind: 'account', account: resource, location: '', key: subject.key.id },
      }) as unknown as Finding,
  );
  await followUnfinished(unfinished, findings, 'r1', { ...services, schedule: new Turns(1), settings: { drift } });
  return works;
}

it('a rotation is put to work as a whole where nothing is exempt, however many there are', async () => {
  expect(await sent(600, 1_000)).toMatchObject([{ kind: 'rotation' }]);
});

it('it is not where something is exempt that is not among those that are named', async () => {
  expect(await sent(600, 599)).toEqual([]);
});

it('it is not where what is exempt is moved by now: it may be moved back by the time that somebody looks', async () => {
  expect(await sent(2, 1, versionName(199))).toEqual([]);
});

it('one with a canary is looked at, although something is exempt; so is a canary of which nothing is found', async () => {
  // The index has it wrong. Those that wait for it are left, as is what is exempt.
  expect(await sent(4, 0, versionName(100), 1)).toMatchObject([
    { kind: 'account', account: accountId(1), key: key().key.id, cause: { by: 'drift' } },
    { kind: 'rotation', onlyLooks: true },
  ]);
});

it('a canary that is found to be behind is looked at by who fixes it', async () => {
  const works = await sent(4, 0, versionName(100), 1, [accountId(1)]);
  expect(works).toMatchObject([{ kind: 'rotation', onlyLooks: true }]);
});

it('a canary is looked at for what is not found of it: a scope is not its account', async () => {
  const scope = `${accountId(1)}/encryptionScopes/scope1`;
  const look = [{ kind: 'account', account: accountId(1) }, { kind: 'rotation' }];
  expect(await sent(4, 0, versionName(100), 1, [accountId(1), scope], [1])).toMatchObject([{ kind: 'rotation' }]);
  expect(await sent(4, 0, versionName(100), 1, [scope], [1])).toMatchObject(look);
  expect(await sent(4, 0, versionName(100), 1, [accountId(1)], [1])).toMatchObject(look);
});

it('of a key that nobody uses any more the index is put right, where everybody was seen', async () => {
  const none = [versionName(100), 0, [], []] as const;
  expect(await sent(1, 1_000, ...none, 'none')).toMatchObject([{ kind: 'rotation' }]);
  expect(await sent(1, 1_000, ...none, 'not all')).toEqual([]);
});

it('of many that are awaited and not found a hundred are looked at, each in its turn', async () => {
  const works = await sent(151, 0, versionName(100), 120);
  const looks = works.flatMap((work) => (work.kind === 'account' ? [work] : []));
  expect(looks).toHaveLength(100);
  expect(new Set(looks.map(({ turn }) => turn)).size).toBeGreaterThan(80);
  expect(works.at(-1)).toMatchObject({ kind: 'rotation', onlyLooks: true });
});

it('where the queue is away none is tried behind the first that it does not take', async () => {
  const tried: string[] = [];
  const queue = {
    send: async (_: string, { kind }: Work) => {
      tried.push(kind);
      throw new Error('no queue');
    },
  };
  const rotation = { key: key().key, hasExempt: true, hasStage: true, awaited: [1, 2, 3].map((n) => fleetUse(n)) };
  const { drift } = rules({ autofix: DEFAULT_AUTOFIX });
  const services = { queue, now: () => day(200), schedule: new Turns(1), settings: { drift } };
  await followUnfinished([rotation], [], 'r1', services);
  expect(tried).toEqual(['account', 'rotation']);
});

it('thousands of rotations are followed without holding up anybody: a revocation waits meanwhile', async () => {
  const keys = Array.from({ length: 5_000 }, (_, n) => managedKey(key().key.vault, `key-${n}`));
  const rotations = keys.map((one) => ({ key: one, hasExempt: false, hasStage: false, awaited: [] }));
  let looks = 0;
  const found = (of: ManagedKey, n: number) => ({
    ...{ resource: accountId(n), reason: 'StaleKeyVersion' },
    get action() {
      looks += 1;
      return { kind: 'account', account: accountId(n), location: '', key: of.id };
    },
  });
  const findings = keys.flatMap((one, n) => [0, 1, 2, 3].map((m) => found(one, 4 * n + m))) as unknown as Finding[];
  const { drift } = rules({ autofix: [] });
  const queue = { send: () => Promise.reject(new Error('Nothing is fixed.')) };
  await followUnfinished(rotations, findings, 'r1', {
    ...{ queue, now: () => day(200), schedule: new Turns(1), settings: { drift } },
  });
  // Each with each would be five thousand looks at a finding.
  expect(looks).toBeLessThanOrEqual(5 * findings.length);
}, 60_000);

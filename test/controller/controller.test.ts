import { setImmediate } from 'node:timers/promises';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Account } from '../../src/accounts/account.ts';
import { Controller, type ControllerPorts } from '../../src/controller/controller.ts';
import { toUseRowOf } from '../../src/controller/observe.ts';
import { toUseOfAccount } from '../../src/controller/read-use.ts';
import { reconcileKey } from '../../src/controller/reconcile-key.ts';
import type { LogRecord } from '../../src/errors/log.ts';
import { createKeyItem } from '../../src/index/work-items.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { createManagedKey } from '../../src/keys/managed-vaults.ts';
import { formatRevocation, REVOCATION_TAG } from '../../src/revocation/revocation.ts';
import type { Settings } from '../../src/settings/settings.ts';
import type { Work, WorkQueueName } from '../../src/work/messages.ts';
import { ON_ANY_MACHINE } from '../support/eventually.ts';
import { KEY, keyVersion, REVOKER, SUBSCRIPTION, VAULT, VAULTS } from '../support/keys.ts';
import { account, CAUSE, Fleet } from './fleet.ts';
import { versionOf } from './region.ts';

const EVENT = { by: 'Microsoft.KeyVault.KeyNewVersionCreated', ref: 'event-1', since: '' };
const PHANTOM = createManagedKey(VAULT, 'no-such-key');

let fleet: Fleet;
let versions: readonly KeyVersion[];
let lists: number;
let sent: { readonly queue: WorkQueueName; readonly work: Work }[];
const logs: LogRecord[] = [];
const log = (record: LogRecord) => {
  logs.push(record);
};

beforeEach(async () => {
  fleet = await Fleet.listed(account('st1'));
  fleet.items.clear();
  versions = [keyVersion(1)];
  lists = 0;
  sent = [];
  logs.length = 0;
});

function portsOf(): ControllerPorts {
  // Passes of an earlier test that end during a later one must not send into its list.
  const ofThisTest = sent;

  return {
    ...(fleet.ports() as unknown as ControllerPorts),
    settings: { vaults: VAULTS, subscriptions: [SUBSCRIPTION], canary: 0, drift: {} } as unknown as Settings,
    keys: {
      listVersions: async ({ id }: { readonly id: string }) => {
        lists += 1;
        return id === KEY.id ? versions : [];
      },
    } as unknown as ControllerPorts['keys'],
    queue: {
      send: async (queue, work) => {
        ofThisTest.push({ queue, work });
      },
    },
  };
}

describe('A flood of equal events', () => {
  const events = 50;

  it('A flood of equal events makes the instance decide on the key once, and once more for all events that arrive meanwhile', async () => {
    let deciding = 0;
    let most = 0;
    let decisions = 0;
    const ports = portsOf();
    const rollouts: ControllerPorts['rollouts'] = {
      ...ports.rollouts,
      async put(...row) {
        deciding += 1;
        most = Math.max(most, deciding);
        decisions += 1;
        const isStored = await ports.rollouts.put(...row);
        deciding -= 1;
        return isStored;
      },
    };

    const controller = new Controller({ ...ports, rollouts });

    await Promise.all(Array.from({ length: events }, () => controller.handleEvent(KEY, EVENT, log)));

    expect(most).toBe(1);
    expect(decisions).toBeLessThanOrEqual(3);
    expect(lists).toBeLessThanOrEqual(10);
    expect(fleet.items.all).toEqual([]);
  });

  it('A flood of equal events sends three messages for the version that the list lacks, not three for each event', async () => {
    const controller = new Controller(portsOf());
    const handle = () => controller.handleEvent(KEY, EVENT, log, keyVersion(2).version);
    await Promise.all(Array.from({ length: events }, handle));
    expect(sent.filter(({ work }) => work.kind === 'key').length).toBeLessThanOrEqual(6);
  });
});

describe('Two events of one key, the second while the first is decided', () => {
  it('An event of a key on which the instance already decides gets a decision: its version is not lost', async () => {
    const controller = new Controller(portsOf());
    const first = controller.handleEvent(KEY, EVENT, log);
    versions = [keyVersion(1), keyVersion(2)];
    await Promise.all([first, controller.handleEvent(KEY, { ...EVENT, ref: 'event-2' }, log)]);
    expect(fleet.rollouts.all).toMatchObject([[KEY.id, { target: keyVersion(2).id }]]);
  });
});

describe('A key on which other instances decide again and again', () => {
  it('A key on which other instances decide again and again is decided on in 15 seconds, and neither event nor message fails', async () => {
    const ports = { ...portsOf(), rollouts: { ...fleet.ports().rollouts, put: async () => false } };
    await new Controller(ports).handleEvent(KEY, EVENT, log);
    expect(fleet.items.all).toMatchObject([
      { about: KEY.id, reason: 'Busy', attempts: 1, due: new Date(fleet.clock + 15_000) },
    ]);
    expect(sent.map(({ work }) => work.kind)).toEqual(['key']);
    expect(logs.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('Passes of an instance', () => {
  const subscriptions = Array.from({ length: 5 }, (_, n) => `22222222-2222-4222-8222-00000000000${n}`);
  const keys = Array.from({ length: 6 }, (_, n) => createManagedKey(VAULT, `key-${n}`));

  /** Each key has a stale account in each subscription, and no pass ends. */
  async function hanging(): Promise<{ readonly ports: ControllerPorts; readonly running: () => number }> {
    const uses = keys.flatMap(({ name }) =>
      subscriptions.map((id): Account => {
        const one = account(`st-${name}`, { keyName: name });
        return { ...one, id: one.id.replace(SUBSCRIPTION, id), subscriptionId: id };
      }),
    );

    fleet.add(...uses);

    const base = portsOf();
    const rows = uses.flatMap((one) => toUseRowOf(toUseOfAccount(one, new Date(fleet.clock))) ?? []);

    await base.rows.put(rows);
    for (const id of subscriptions) await base.fleet.listed(id, new Date(fleet.clock));

    let running = 0;
    const leases: ControllerPorts['leases'] = {
      acquire: () => {
        running += 1;
        return new Promise(() => {});
      },
    };

    const listVersions = async ({ id }: { readonly id: string }) => [1, 2].map((n) => versionOf(id, n));
    const ports = {
      ...base,
      leases,
      keys: { listVersions } as unknown as ControllerPorts['keys'],
      inSight: async () => subscriptions,
      settings: { ...base.settings, subscriptions },
    };

    return { ports, running: () => running };
  }

  it('An instance runs at most 24 passes, however many messages about keys arrive', async () => {
    const { ports, running } = await hanging();
    const controller = new Controller(ports);
    for (const { id } of keys) controller.handleKeyMessage(id, CAUSE, log);
    await vi.waitUntil(() => running() === 24, ON_ANY_MACHINE);
    for (let n = 0; n < 100; n += 1) await setImmediate();
    expect(running()).toBe(24);
  });

  it('Passes that get no slot within the time limit of an event are requested by messages', async () => {
    const { ports, running } = await hanging();
    const controller = new Controller(ports);
    const [key = KEY, ...others] = keys;
    for (const { id } of others) controller.handleKeyMessage(id, CAUSE, log);
    await vi.waitUntil(() => running() === 24, ON_ANY_MACHINE);
    await controller.handleEvent(key, EVENT, log);
    const left = sent.flatMap(({ work }) => (work.kind === 'subscriptions' ? work.subscriptions : []));
    expect(left.sort()).toEqual(subscriptions);
  });
});

describe('The name of a key that does not exist', () => {
  it('A message with the name of a key that does not exist leaves no row, no item and no error', async () => {
    fleet.items.put(createKeyItem(PHANTOM.id, CAUSE, new Date(fleet.clock)));
    await new Controller(portsOf()).handleKeyMessage(PHANTOM.id, CAUSE, log);
    expect(fleet.rollouts.all).toEqual([]);
    expect(fleet.items.all).toEqual([]);
    expect(logs).toMatchObject([{ level: 'info', reason: 'KeyNotFound', key: PHANTOM.id }]);
  });

  it('A deleted key gets a row and an error if the index still has a use of it', async () => {
    const ports = { ...fleet.ports(), keys: { listVersions: async () => [] } };
    await reconcileKey(KEY, CAUSE, ports);
    expect(fleet.rollouts.all).toMatchObject([[KEY.id, { stage: 'canary' }]]);
    expect(fleet.logs.at(-1)).toMatchObject({ level: 'error', reason: 'KeyNotFound' });
  });
});

it('An event requests the audit record of a version that was disabled while the key was revoked, and of no other version', async () => {
  const off = (n: number, change: Partial<KeyVersion> = {}): KeyVersion => {
    const version = keyVersion(n, { enabled: false, updatedOn: new Date(fleet.clock), ...change });
    const record = { ...REVOKER, revokedOn: new Date(fleet.clock - 3_600_000), version: version.version };
    return { ...version, tags: { [REVOCATION_TAG]: formatRevocation({ ...record, wasEnabled: true }) } };
  };

  const asked = () => sent.filter(({ work }) => work.kind === 'revocation');
  const minuteAgo = new Date(fleet.clock - 60_000);

  versions = [off(1)];
  await new Controller(portsOf()).handleEvent(KEY, EVENT, log);

  expect(asked()).toEqual([]);

  versions = [off(1), off(2, { createdOn: minuteAgo, updatedOn: minuteAgo })];
  await new Controller(portsOf()).handleEvent(KEY, EVENT, log);

  expect(asked()).toMatchObject([{ queue: 'key-work', work: { key: KEY.id } }]);
});

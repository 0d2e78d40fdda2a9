import { beforeEach, describe, expect, it } from 'vitest';
import { Controller, type ControllerPorts } from '../../src/fleet/controller.ts';
import { reconcileKey } from '../../src/fleet/reconcile-key.ts';
import { keyItem } from '../../src/fleet/work-items.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { managedKey } from '../../src/keys/managed-vaults.ts';
import type { LogRecord } from '../../src/log.ts';
import { formatRevocation, REVOCATION_TAG } from '../../src/revocation/revocation.ts';
import type { Settings } from '../../src/settings/settings.ts';
import type { Work, WorkQueueName } from '../../src/work/messages.ts';
import { KEY, keyVersion, REVOKER, SUBSCRIPTION, VAULT, VAULTS } from '../support/keys.ts';
import { account, CAUSE, Fleet } from './fleet.ts';

const EVENT = { by: 'Microsoft.KeyVault.KeyNewVersionCreated', ref: 'event-1', since: '' };
const PHANTOM = managedKey(VAULT, 'no-such-key');

let fleet: Fleet;
let versions: readonly KeyVersion[];
let lists: number;
let sent: { readonly queue: WorkQueueName; readonly work: Work }[];
const logs: LogRecord[] = [];
const log = (record: LogRecord) => void logs.push(record);

beforeEach(async () => {
  fleet = await Fleet.listed(account('st1'));
  fleet.items.clear();
  [versions, lists, sent] = [[keyVersion(1)], 0, []];
  logs.length = 0;
});

function portsOf(): ControllerPorts {
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
        sent.push({ queue, work });
      },
    },
  };
}

describe('A flood of equal events', () => {
  const events = 50;

  it('has the instance decide on their key once at a time, and once more for all that came meanwhile', async () => {
    let [deciding, most, decisions] = [0, 0, 0];
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

  it('has three messages look for the version that the list lacks, and not three for each', async () => {
    const controller = new Controller(portsOf());
    const handle = () => controller.handleEvent(KEY, EVENT, log, keyVersion(2).version);
    await Promise.all(Array.from({ length: events }, handle));
    expect(sent.filter(({ work }) => work.kind === 'key').length).toBeLessThanOrEqual(6);
  });
});

describe('Two events of one key, the second while the first is decided', () => {
  it('are both decided on: what the second is about is not lost', async () => {
    const controller = new Controller(portsOf());
    const first = controller.handleEvent(KEY, EVENT, log);
    versions = [keyVersion(1), keyVersion(2)];
    await Promise.all([first, controller.handleEvent(KEY, { ...EVENT, ref: 'event-2' }, log)]);
    expect(fleet.rollouts.all).toMatchObject([[KEY.id, { target: keyVersion(2).id }]]);
  });
});

describe('A key on which other instances decide again and again', () => {
  it('keeps its item, and is decided on in 15 seconds: neither an event nor a message fails', async () => {
    const ports = { ...portsOf(), rollouts: { ...fleet.ports().rollouts, put: async () => false } };
    await new Controller(ports).handleEvent(KEY, EVENT, log);
    expect(fleet.items.all).toMatchObject([
      { about: KEY.id, reason: 'Busy', attempts: 1, due: new Date(fleet.clock + 15_000) },
    ]);
    expect(sent.map(({ work }) => work.kind)).toEqual(['key']);
    expect(logs.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('The name of a key that does not exist', () => {
  it('in a message leaves no row, no item and no error', async () => {
    fleet.items.put(keyItem(PHANTOM.id, CAUSE, new Date(fleet.clock)));
    await new Controller(portsOf()).handleKeyMessage(PHANTOM.id, CAUSE, log);
    expect(fleet.rollouts.all).toEqual([]);
    expect(fleet.items.all).toEqual([]);
    expect(logs).toMatchObject([{ level: 'info', reason: 'KeyNotFound', key: PHANTOM.id }]);
  });

  it('has a row, and an error, while the index has a use of it: the key was deleted', async () => {
    const ports = { ...fleet.ports(), keys: { listVersions: async () => [] } };
    await reconcileKey(KEY, CAUSE, ports);
    expect(fleet.rollouts.all).toMatchObject([[KEY.id, { stage: 'canary' }]]);
    expect(fleet.logs.at(-1)).toMatchObject({ level: 'error', reason: 'KeyNotFound' });
  });
});

it('has the record of a version looked for that was disabled while the key was revoked, and of no other', async () => {
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

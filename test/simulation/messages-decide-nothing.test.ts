import { describe, expect, it } from 'vitest';
import { formatAccountRow, formatKeyPartition } from '../../src/index/fleet-keys.ts';
import { createManagedKey } from '../../src/keys/managed-vaults.ts';
import { deliver } from '../../src/notify/deliver.ts';
import { createFromRecord } from '../../src/notify/from-record.ts';
import { readNotify } from '../../src/settings/settings.ts';
import { type NotifyWork, PARSERS } from '../../src/work/messages.ts';
import { record, TIME } from '../notify/samples.ts';
import { CMK_NOTIFY, TARGETS } from '../notify/targets.ts';
import { KeySite } from '../revocation/key-site.ts';
import { ALICE, BOB } from '../revocation/records.ts';
import { KEY, VAULT, versionName } from '../support/keys.ts';
import { MemoryLeases } from '../support/memory-leases.ts';
import { type ControllerDeed, ControllerWorld, FIRST_KEY, SECOND_KEY, UNDISTURBED } from './controller-world.ts';
import { runHistory, seeded } from './explore.ts';
import { forgedKeyMessage, takeKeyMessage } from './forged-key-message.ts';
import { keysOf } from './memory-vault.ts';
import { randomForgery } from './random-forgery.ts';

// Guards invariant 1: a message names a key or a subscription, and nothing else in it decides what is written.

const RUNS = 60;
const one =
  (random: () => number) =>
  <T>(of: readonly T[]): T =>
    of[Math.floor(random() * of.length)] as T;

/** What there is to do when the message comes. */
const STATES: Readonly<Record<string, (site: KeySite) => Promise<void>>> = {
  'a version that appeared while the key is revoked': async (site) => {
    await site.revoke(ALICE);
    site.pass(900);
    site.vault().create();
  },
  'a revocation of which nothing is on record': async (site) => {
    await site.revoke(ALICE);
    site.trail.forget();
    site.pass(900);
  },
  'a key that was restored, of which nothing is on record': async (site) => {
    await site.restore(BOB, await site.revoke(ALICE));
    site.trail.forget();
    site.pass(900);
  },
};

/** Every write to Key Vault, and every record, that a message leads to. */
async function doneBy(state: string, message: object): Promise<ReadonlySet<string>> {
  const site = new KeySite();

  await STATES[state]?.(site);

  const writes: string[] = [];
  const earlier = site.trail.entries.length;
  const keys = keysOf(site.vault(), async (label, effect, isWrite) => {
    if (isWrite) writes.push(label);
    return effect();
  });

  await takeKeyMessage(message, { ...site.services(), keys, effects: { kept: undefined } });

  const records = site.trail.entries
    .slice(earlier)
    .map(({ action, reason, resource, caller }) => [action, reason, resource, caller?.objectId].join(' '));

  return new Set([...writes, ...records]);
}

describe('a message of key-work of which any field is changed', () => {
  it.each(['revocation', 'probe', 'key', 'rotate'])(
    'A message of key-work with any changed field leads to no write or record that the original would not: %s',
    async (kind) => {
      const time = '2026-06-01T12:00:00.000Z';
      const required = { since: time, due: time, order: 'order', tick: 0 };
      const untouched = { kind, key: KEY.id, ...required, cause: { by: 'event', ref: '', since: '' }, attempt: 0 };
      let isAny = false;

      for (const state of Object.keys(STATES)) {
        const may = await doneBy(state, untouched);
        isAny ||= may.size > 0;
        for (let seed = 1; seed <= RUNS; seed += 1) {
          const message = { ...forgedKeyMessage(one(seeded(seed))), kind };
          const done = await doneBy(state, message);
          expect([...done].filter((it) => !may.has(it))).toEqual([]);
        }
      }

      expect(isAny).toBe(kind !== 'probe' && kind !== 'rotate');
    },
  );
});

/** Every request that a message leads to, as `target body`. One of two notifications was sent before. */
async function sentBy(message: object): Promise<ReadonlySet<string>> {
  const now = () => new Date('2026-06-01T12:00:00.000Z');
  const [first, second] = ['revoke-1', 'revoke-2'].map((id) =>
    createFromRecord(record('key.revoke', 'Revoked', { why: id }, id)),
  );
  if (!first || !second) throw new Error('A revocation has a notification.');

  const read = async (target: string, id: string) => {
    const notification = [first, second].find((one) => one.id === id);
    return notification && { value: { notification, ...(target === 'ops' ? { sentOn: TIME } : {}) }, etag: '' };
  };
  const sent = new Set<string>();
  const ports = {
    settings: { notify: readNotify({ CMK_NOTIFY }), drift: { functionAppId: undefined } },
    outbox: { read, markSent: async () => {} },
    leases: new MemoryLeases(now),
    random: () => 0,
    now,
    postWebhook: async (address: string, _: object, body: string) => {
      sent.add(`${address} ${body}`);
      return { status: 200 };
    },
  };

  let work: NotifyWork;
  try {
    work = PARSERS['notify-work'](message);
  } catch {
    // It is poison, and leads to nothing.
    return sent;
  }

  await deliver(work, ports, () => {});

  return sent;
}

it('A message of notify-work with any changed field leads only to requests of the outbox, to its targets and with its text', async () => {
  const ids = ['revoke-1', 'revoke-2'].map(
    (id) => createFromRecord(record('key.revoke', 'Revoked', { why: id }, id))?.id ?? '',
  );
  const cause = { by: 'notify', ref: '', since: '' };
  const message = (target: string, id: string) => ({ kind: 'notify', target, notification: id, cause });
  const own = TARGETS.flatMap(({ name }) => ids.map((id) => sentBy(message(name, id))));
  const may = new Set((await Promise.all(own)).flatMap((sent) => [...sent]));

  expect(may.size).toBe(4);

  const all = new Set<string>();
  for (let seed = 1; seed <= RUNS; seed += 1) {
    const of = one(seeded(seed));
    const forged = { id: of([...ids, '0'.repeat(32)]), kind: 'restored', title: 'forged', text: 'forged', data: {} };
    const fields = { title: 'forged', text: 'forged', sentOn: undefined, address: 'https://elsewhere.example/' };
    const target = of([...TARGETS.map(({ name }) => name), '../siem', 'https://elsewhere.example/']);
    const sent = await sentBy({ ...message(target, forged.id), ...of([{}, { notification: forged }]), ...fields });
    for (const request of sent) all.add(request);
  }

  expect(all).toEqual(may);
});

const SUBSCRIPTION = '11111111-1111-4111-8111-1111111111a1';
const USE = { subscription: SUBSCRIPTION, region: 'westeurope', key: FIRST_KEY } as const;
const USES = [
  { ...USE, mode: 'pinned' },
  { ...USE, mode: 'automatic' },
] as const;

/** Every write to Storage that a new version leads to. */
async function writesWith(forged: readonly ControllerDeed[]): Promise<ReadonlySet<string>> {
  const world = new ControllerWorld({
    ...UNDISTURBED,
    uses: USES,
    deeds: [{ do: 'wait' }, ...forged, { do: 'newVersion', key: FIRST_KEY }, { do: 'driftCheck', after: 3_600 }],
  });
  await runHistory(world, () => 0);
  const writes = world.scheduler.history.filter((label) => /: patch/.test(label));
  return new Set(writes.map((label) => label.replace(/^.*?: /, '')));
}

describe('what is stored in the work zone', () => {
  it('No forged item, use row, listing, lease or message in the work zone leads to an additional write', async () => {
    const may = await writesWith([]);
    expect(may.size).toBe(2);
    for (let seed = 1; seed <= RUNS; seed += 1) {
      const forgery = JSON.stringify(randomForgery(seeded(seed), USES));
      const writes = await writesWith([{ do: 'forge', forgery }]);
      expect([forgery, ...[...writes].filter((write) => !may.has(write))]).toEqual([forgery]);
    }
  });

  it('A roll back moves no account that its order did not move, even if a forged row says so', async () => {
    const uses = [USE, { ...USE, key: SECOND_KEY }].map((use) => ({ ...use, mode: 'pinned' as const }));
    const account = `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st2`;
    const [from, to] = [FIRST_KEY, SECOND_KEY].map((name) => createManagedKey(VAULT, name).id);
    const row = { into: 'table', partition: formatKeyPartition(to ?? ''), row: formatAccountRow(account) };
    const forgery = JSON.stringify({ ...row, values: { state: 'done', movedFrom: `${from}/${versionName(1)}` } });
    const world = new ControllerWorld({
      ...UNDISTURBED,
      uses,
      deeds: [
        ...([{ do: 'wait' }, { do: 'rekey', from: FIRST_KEY, to: SECOND_KEY }, { do: 'wait' }] as const),
        ...([{ do: 'forge', forgery }, { do: 'newVersion', key: SECOND_KEY }, { do: 'wait' }] as const),
        ...([{ do: 'rollBackRekey' }, { do: 'wait' }, { do: 'driftCheck' }] as const),
      ],
    });

    await runHistory(world, () => 0);

    expect(world.storage.all.map(([name, { key }]) => [name, key])).toEqual([
      ['st1', FIRST_KEY],
      ['st2', SECOND_KEY],
    ]);
  });
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ACCOUNT_WORK, KEY_WORK, type WorkQueueName } from '../../src/work/messages.ts';
import { KEY, SUBSCRIPTION, versionName } from '../support/keys.ts';
import { type AppScenario, type Deed, OTHER } from './app-scenario.ts';
import { AppWorld } from './app-world.ts';
import { BrokenHistory, runHistory } from './explore.ts';
import { PEOPLE } from './forged-message.ts';
import { SPOILS } from './spoil-index.ts';

// Guards invariant 1: a message names a key, or an account, and nothing else in it decides what is written.

const QUIET = { instances: 1, accounts: ['pinned', 'automatic'], faults: 0, kills: 0, skews: [], aim: /^$/ } as const;
const LONG: Deed = { do: 'timePasses', seconds: 1_000, quietly: true };

/** What there is to do when the message comes. */
const STATES: Readonly<Record<string, Partial<AppScenario> & { readonly deeds: readonly Deed[] }>> = {
  'a version that no event has told': { deeds: [{ do: 'rotate', events: 0 }] },
  'a version that appeared while the key is revoked': { deeds: [{ do: 'revoke' }, LONG, { do: 'rotate', events: 0 }] },
  'a revocation of which nothing is on record': { deeds: [{ do: 'revoke' }, LONG, { do: 'loseTrail' }] },
  'a key that was restored': { deeds: [{ do: 'revoke' }, LONG, { do: 'restore' }, LONG] },
  'a key that nears its expiry': { deeds: [], nearExpiry: true },
};

/** Every write to Key Vault and Storage that a message leads to, and every record, without its times. */
async function doneBy(
  state: string,
  queue: WorkQueueName,
  sent: object,
  before: readonly Deed[] = [],
): Promise<ReadonlySet<string>> {
  const message: object = JSON.parse(JSON.stringify(sent));
  const { deeds, ...more } = STATES[state] ?? { deeds: [] };
  const scenario = { ...QUIET, versions: 2, noDriftCheck: true, during: /^$/, ...more };
  const world = new AppWorld({ ...scenario, deeds: [...deeds, ...before, { do: 'put', queue, message }] });
  let earlier = 0;
  const choose = (transitions: readonly { readonly label: string }[]): number => {
    if (transitions.some(({ label }) => label.startsWith('put '))) earlier = world.entries.length;
    return 0;
  };
  // What is at rest is not judged: only this message looks after what there is to do.
  await runHistory(world, choose).catch((error: unknown) => {
    if (!(error instanceof BrokenHistory)) throw error;
  });
  const start = world.scheduler.history.findIndex((label) => label.startsWith('put '));
  const writes = world.scheduler.history.slice(start + 1).filter((label) => /: (patch|rotate)/.test(label));
  const records = world.entries
    .slice(earlier)
    .map(({ action, reason, resource, caller }) => `${action} ${reason} ${resource} ${caller?.objectId}`);
  return new Set([...writes.map(withoutTimes), ...records]);
}

function withoutTimes(label: string): string {
  return label.replace(/^.*?: /, '').replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'then');
}

const time = fc.constantFrom('1970-01-01T00:00:00.000Z', '2026-06-01T12:00:00.000Z', '9999-12-31T23:59:59.999Z');
const objectId = fc.constantFrom(...PEOPLE);
const call = fc.record({
  caller: fc.record({ objectId, appId: fc.string({ maxLength: 5 }), kind: fc.constantFrom('person', 'application') }),
  correlationId: fc.string({ maxLength: 5 }),
  why: fc.string({ maxLength: 5 }),
});
const version = fc.constantFrom(versionName(1), versionName(2), `${versionName(1)} off`);
const by = fc.constantFrom('drift', 'event', 'revoke', 'restore', 'operator', 'activation');
const carried = {
  cause: fc.record({ by, ref: fc.string({ maxLength: 5 }), since: time }),
  attempt: fc.nat({ max: 5 }),
  deferredSince: time,
  traceparent: fc.string(),
};
const revocation = fc.record({ id: fc.constantFrom('id-1', 'id-2', 'forged'), revokedOn: time, revokedBy: objectId });
const onlyCarried = { ...carried, due: time, claimed: call };

/** Fields that any version of the app has read in a message of that kind, with any value. */
const FIELDS: Readonly<Record<string, { readonly [field: string]: fc.Arbitrary<unknown> }>> = {
  revocation: {
    ...onlyCarried,
    did: fc.constantFrom('revoke', 'restore'),
    revocation,
    call,
    finished: fc.boolean(),
    records: fc.boolean(),
    versions: fc.array(version),
  },
  probe: { ...onlyCarried, expect: fc.constantFrom('blocked', 'open'), since: time, follows: fc.string() },
  key: {
    ...onlyCarried,
    alsoLate: fc.boolean(),
    waiter: fc.integer({ min: 1, max: 3 }),
    subscriptions: fc.array(fc.constantFrom(SUBSCRIPTION, '99999999-9999-4999-8999-999999999999'), { maxLength: 2 }),
  },
  rotate: onlyCarried,
  rotation: { ...carried, since: time, due: time, lookedAgain: fc.boolean(), onlyLooks: fc.boolean() },
  account: {
    ...carried,
    turn: fc.double({ noNaN: true }),
    seen: fc.record({ pinned: version, current: version }, { requiredKeys: [] }),
    scopes: fc.constantFrom('none', 'only'),
    rekey: fc.constantFrom('forged', 'id-1'),
    location: fc.constantFrom('westeurope', 'nowhere'),
  },
};

const AT = '2026-06-01T12:00:00.000Z';
const CAUSE = { by: 'event', ref: '', since: '' };
const ACCOUNT_ID = `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st1`;
const MORE: Readonly<Record<string, object>> = {
  rotation: { since: AT, due: AT },
  account: {
    account: ACCOUNT_ID,
    location: 'westeurope',
  },
};

describe('a message of which any field is changed', () => {
  it.each(Object.keys(FIELDS))(
    'leads to no write and no record that the untouched one had not led to: %s',
    async (kind) => {
      const queue = kind === 'account' ? ACCOUNT_WORK : KEY_WORK;
      const untouched = { kind, key: KEY.id, ...MORE[kind], cause: CAUSE, attempt: 0 };
      const known = new Map<string, ReadonlySet<string>>();
      const plain = async (state: string, key: string) => {
        const name = `${state} ${key}`;
        const found = known.get(name) ?? (await doneBy(state, queue, { ...untouched, key }));
        known.set(name, found);
        return found;
      };
      const key = fc.constantFrom(KEY.id, KEY.id, OTHER.id, 'https://kv-other.vault.azure.net/keys/files-key', '');
      const fields = fc.record({ key, ...FIELDS[kind] }, { requiredKeys: [] });
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...Object.keys(STATES)), fields, async (state, changed) => {
          const done = await doneBy(state, queue, { ...untouched, ...changed });
          const may = await plain(state, changed.key ?? KEY.id);
          expect([...done].filter((one) => !may.has(one))).toEqual([]);
        }),
        { numRuns: 60 },
      );
      // The states are such that there is something to do.
      const all = await Promise.all(Object.keys(STATES).map((state) => plain(state, KEY.id)));
      if (kind !== 'probe' && kind !== 'rotation') expect(all.some((set) => set.size > 0)).toBe(true);
    },
    60_000,
  );
});

describe('what is stored beside the queues', () => {
  const STORED = Object.keys(STATES).filter((state) => !STATES[state]?.nearExpiry);
  const message = { ...MORE.account, kind: 'account', key: KEY.id, cause: CAUSE, attempt: 0 };
  const writesBy = async (state: string, before: readonly Deed[] = []) =>
    [...(await doneBy(state, ACCOUNT_WORK, message, before))].filter((one) => one.startsWith('patch'));

  it('leads to no write that it had not led to without: any state of the leases of accounts', async () => {
    const done = fc.record(
      { reason: fc.constantFrom('Moved', 'MoveUnproven'), to: version, provenBy: fc.constant('look') },
      { requiredKeys: ['reason'] },
    );
    const move = fc.record(
      {
        ...{ id: fc.string({ maxLength: 5 }), account: fc.constant(ACCOUNT_ID), key: fc.constant(KEY.id) },
        ...{ toKey: fc.constant(OTHER.id), rekey: fc.constant('forged'), mode: fc.constantFrom('pinned', 'automatic') },
        ...{ from: version, to: version, cause: carried.cause, at: time, over: fc.boolean(), until: time, done },
      },
      { requiredKeys: ['id', 'account', 'key', 'mode', 'to', 'cause', 'at'] },
    );
    const known = fc.record({ vaultUri: fc.constant(KEY.vault.uri), keyName: fc.constant(KEY.name), pinned: version });
    const lease = fc.record({ moves: fc.array(move, { maxLength: 2 }), known }, { requiredKeys: [] });
    const may = new Map<string, readonly string[]>();
    for (const state of STORED) may.set(state, await writesBy(state));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...STORED), fc.oneof(lease, fc.jsonValue()), async (state, written) => {
        const kept: unknown = JSON.parse(JSON.stringify(written));
        const writes = await writesBy(state, [{ do: 'writeLeases', state: kept }]);
        expect(writes.filter((one) => !may.get(state)?.includes(one))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  it('leads to no version that is made, enabled or disabled: any state of the leases of keys', async () => {
    const rotate = { kind: 'rotate', key: KEY.id, cause: CAUSE, attempt: 0 };
    const decided = async (state: string, before: readonly Deed[] = []) =>
      [...(await doneBy(state, KEY_WORK, rotate, before))].filter((one) => /^rotate|^patch v.*"enabled"/.test(one));
    const intent = fc.record(
      { from: version, completes: fc.boolean(), waited: fc.boolean(), made: version },
      { requiredKeys: ['from'] },
    );
    const states = Object.keys(STATES);
    const may = new Map<string, readonly string[]>();
    for (const state of states) may.set(state, await decided(state));
    expect(may.get('a key that nears its expiry')).not.toEqual([]);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...states), fc.oneof(intent, fc.jsonValue()), async (state, written) => {
        const kept: unknown = JSON.parse(JSON.stringify(written));
        const done = await decided(state, [{ do: 'writeLeases', state: kept }]);
        expect(done.filter((one) => !may.get(state)?.includes(one))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  it.each(SPOILS)('leads to no write that it had not led to without: an index that is %s', async (how) => {
    for (const state of STORED) {
      const may = await writesBy(state);
      const writes = await writesBy(state, [{ do: 'spoilIndex', how }]);
      expect(writes.filter((one) => !may.includes(one))).toEqual([]);
    }
  });
});

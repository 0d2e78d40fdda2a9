import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { ManagedIdentityCredential } from '@azure/identity';
import { beforeAll, describe, expect, it } from 'vitest';
import { CLIENT_IDS } from '../../local/azure/constants.ts';
import { LIMITS } from '../../src/azure/limits.ts';
import { createKeys, type Keys } from '../../src/keys/key-client.ts';
import { managedKey } from '../../src/keys/managed-vaults.ts';
import { type KeyRestoration, restoreKey } from '../../src/revocation/restore-key.ts';
import { type KeyRevocation, revokeKey } from '../../src/revocation/revoke-key.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';
import { objectId } from './break-glass-fixture.ts';
import { keyVaultCalls } from './key-vault-calls.ts';

/** Versions of the key, of which one is off before. */
const VERSIONS = 4;
const OFF = [2];

/** What can become of one request. A request that hangs is given up by the client. */
const FAULTS = {
  'a 500': { answer: { status: 500, body: { error: { code: 'InternalError', message: 'Something went wrong.' } } } },
  'a 429 with Retry-After': {
    answer: { status: 429, headers: { 'Retry-After': '1' }, body: { error: { code: 'Throttled' } } },
  },
  'a hang': { hang: true },
  'a reset before it takes effect': { reset: true },
  'a reset after it took effect': { resetAfter: true },
} as const;

const wire = useWire();
/** The same in every version: making key material takes longer than all the rest. */
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
/** As the app's own for break-glass, but that a hang is given up sooner: a test need not wait as long as a person. */
let hasty: Keys;
let patient: Keys;
beforeAll(() => {
  const credential = new ManagedIdentityCredential({ clientId: CLIENT_IDS.appUserAssigned });
  hasty = createKeys(credential, { ...LIMITS.breakGlass, requestMs: 500 });
  patient = createKeys(credential, { ...LIMITS.breakGlass, requestMs: 10_000 });
});

interface Subject {
  readonly key: TestKey;
  readonly revoke: (keys: Keys) => Promise<KeyRevocation>;
  readonly restore: (keys: Keys) => Promise<KeyRestoration>;
  readonly on: () => number[];
}

function subject(versions = VERSIONS): Subject {
  const key = new TestKey(wire.azure.world, 'kv-files', { privateKey });
  for (let n = 2; n <= versions; n += 1) key.add({ privateKey, enabled: !OFF.includes(n) });
  const vault = wire.services().settings.vaults.byName('kv-files');
  if (!vault) throw new Error('kv-files is not managed.');
  const managed = managedKey(vault, key.name);
  const services = { now: () => wire.azure.clock.now(), sleep: async () => {} };
  let open = '';
  return {
    key,
    async revoke(keys) {
      const result = await revokeKey(
        managed,
        { id: randomUUID(), revokedBy: objectId('alice') },
        { keys, ...services },
      );
      open = result.revocation?.id ?? open;
      return result;
    },
    restore: (keys) =>
      restoreKey(managed, { revocation: open, restoredBy: objectId('bob'), dualControl: true }, { keys, ...services }),
    on: () => versionsOf(key).flatMap(({ enabled }, at) => (enabled ? [at + 1] : [])),
  };
}

function versionsOf(key: TestKey) {
  return key.vault.keys.get(key.name)?.versions ?? [];
}

const ALL = Array.from({ length: VERSIONS }, (_, at) => at + 1);
const BEFORE = ALL.filter((n) => !OFF.includes(n));

/** The requests of a call that meets no fault: the list, the updates, and the list again. */
const LIST = '/versions';
const PLACES = [
  { what: 'the read of a version before it is written', method: 'GET', path: '[0-9a-f]{32}', skip: 0 },
  { what: 'the list', method: 'GET', path: LIST, skip: 0 },
  { what: 'the first update', method: 'PATCH', path: '', skip: 0 },
  { what: 'the last update', method: 'PATCH', path: '', skip: 2 },
  { what: 'the proof', method: 'GET', path: LIST, skip: 1 },
];
/** The last write of a restore, which has a mark, three versions enabled and three records replaced. */
const LAST = [{ what: 'the last record', method: 'PATCH', path: '', skip: 6 }];
type Fault = keyof typeof FAULTS;
const CASES = casesOf(PLACES);
const CLOSING = casesOf(LAST);

function casesOf(places: typeof PLACES) {
  return (Object.keys(FAULTS) as Fault[]).flatMap((fault) =>
    places.flatMap((place) => [
      { ...place, fault, how: 'once', times: 1 },
      // A call that gives up does so in the same way, whatever the fault.
      ...(fault === 'a 500' ? [{ ...place, fault, how: 'for as long as the call lasts', times: 1_000 }] : []),
    ]),
  );
}
type Place = Omit<(typeof CASES)[number], 'what' | 'how'>;

function order({ method, path, skip, fault, times }: Place, key: TestKey): void {
  wire.azure.faults.clear();
  const match = { host: 'kv-files.vault.azure.net', method, path: `^/keys/${key.name}/.*${path}` };
  wire.azure.faults.add([{ match, skip, times, ...FAULTS[fault] }]);
}

describe('every single request of a revocation failing', () => {
  it.each(CASES)('$what meets $fault, $how: what is said is true, and a repeat finishes', async (place) => {
    const { key, revoke, on } = subject();
    order(place, key);

    const said = await outcome(() => revoke(hasty));

    wire.azure.faults.clear();
    expectTrue(said, key);
    if ('versions' in said) expect(said.complete).toBe(on().length === 0 && said.unproven === undefined);
    else expect(on(), 'nothing was changed, as the refusal says').toEqual(BEFORE);

    const repeated = await revoke(patient);
    expect(repeated).toMatchObject({ complete: true, unrecorded: [] });
    expect(on()).toEqual([]);
  });
});

describe('every single request of a restore failing', () => {
  it.each([...CASES, ...CLOSING])(
    '$what meets $fault, $how: what is said is true, and a repeat finishes',
    async (place) => {
      const { key, revoke, restore, on } = subject();
      await revoke(patient);
      order(place, key);

      const said = await outcome(() => restore(hasty));

      wire.azure.faults.clear();
      expectTrue(said, key);
      if ('versions' in said) expect(said.end === 'Restored' && on().length !== BEFORE.length).toBe(false);
      else expect(on(), 'nothing was changed, as the refusal says').toEqual([]);
      expect(on().filter((n) => OFF.includes(n))).toEqual([]);

      const repeated = await restore(patient);
      expect(repeated).toMatchObject({ end: 'Restored' });
      expect(on()).toEqual(BEFORE);
    },
  );
});

describe('a key with more versions than a page holds', () => {
  it.each<[Fault, number]>([
    ['a 500', 1],
    ['a hang', 3],
  ])('meets %s on a second page: what is said is true, and a repeat finishes', async (fault, skip) => {
    const { key, revoke, on } = subject(27);
    order({ method: 'GET', path: LIST, skip, fault, times: 1_000 }, key);

    const said = await outcome(() => revoke(fault === 'a hang' ? hasty : patient));

    wire.azure.faults.clear();
    expectTrue(said, key, 27);
    // On a slow machine the hasty client gives up other requests too.
    if (fault !== 'a hang') expect(on()).toHaveLength('versions' in said ? 0 : 26);
    expect(await revoke(patient)).toMatchObject({ complete: true });
    expect(on()).toEqual([]);
  });
});

describe('the faults', () => {
  it('meet requests that a call makes: none of the places above is beside the point', async () => {
    const { key, revoke } = subject();
    const seen = wire.azure.requests.last;
    await revoke(patient);
    const calls = keyVaultCalls(wire.azure, key.name, seen);
    const of = (method: string) => calls.filter((call) => call.method === method).length;
    expect({ reads: of('GET'), updates: of('PATCH') }).toEqual({ reads: 2 + 3, updates: 3 });
  });
});

/** What a call answered; an error of the first list, which the app turns into a refusal, is one too. */
async function outcome<T>(call: () => Promise<T>): Promise<T | { readonly refused: unknown }> {
  try {
    return await call();
  } catch (refused) {
    return { refused };
  }
}

/** No version is said to be in a state that it is not in; `Unknown` is allowed where there is no proof. */
function expectTrue(
  said: KeyRevocation | KeyRestoration | { readonly refused: unknown },
  key: TestKey,
  versions = VERSIONS,
): void {
  if (!('versions' in said)) return;
  const truth = new Map(versionsOf(key).map(({ version, enabled }) => [version, enabled ? 'Usable' : 'Disabled']));
  expect(said.versions).toHaveLength(versions);
  for (const { version, after, error } of said.versions) {
    if (after !== 'Unknown') expect(after, version).toBe(truth.get(version));
    else expect(error, `why ${version} is not known`).toBeTruthy();
  }
}

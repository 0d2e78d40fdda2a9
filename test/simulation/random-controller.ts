import {
  type ControllerDeed,
  type ControllerScenario,
  ControllerWorld,
  FIRST_KEY,
  SECOND_KEY,
  UNDISTURBED,
} from './controller-world.ts';
import type { World } from './explore.ts';
import type { UseSpec } from './memory-storage.ts';
import { randomShapeWorld } from './random-shapes.ts';

type Random = () => number;

const one = <T>(random: Random, of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
const SUBSCRIPTIONS = ['11111111-1111-4111-8111-1111111111a1', '11111111-1111-4111-8111-1111111111b2'];
const REGIONS = ['westeurope', 'northeurope'];

const SPEC: Omit<UseSpec, 'key'> = { subscription: SUBSCRIPTIONS[0] ?? '', region: REGIONS[0] ?? '', mode: 'pinned' };
const WAIT: ControllerDeed = { do: 'wait' };
const RESUME: ControllerDeed = { do: 'resume' };

function uses(random: Random): UseSpec[] {
  if (random() < 0.25) return staged(random);

  return Array.from({ length: one(random, [1, 2, 3, 4]) }, () => ({
    subscription: one(random, SUBSCRIPTIONS.slice(0, one(random, [1, 1, 2]))),
    region: one(random, REGIONS),
    mode: one(random, ['pinned', 'pinned', 'automatic'] as const),
    key: one(random, [FIRST_KEY, FIRST_KEY, SECOND_KEY]),
    scoped: random() < 0.25,
    inCapitals: random() < 0.1,
    ...(random() < 0.1 ? { foreign: true } : {}),
    ...one(random, [{}, {}, { wave: '1' }, { wave: '2' }]),
  }));
}

/** One key and several waves. */
function staged(random: Random): UseSpec[] {
  const waves = one(random, [
    ['1', '1', '1', '2'],
    ['1', '2', '2', '3'],
    ['1', '2', '3', undefined],
  ]);

  const [subscription = ''] = SUBSCRIPTIONS;

  return waves.map((wave) => ({
    subscription,
    region: one(random, REGIONS),
    mode: 'pinned',
    key: FIRST_KEY,
    ...(wave === undefined ? {} : { wave }),
  }));
}

function deeds(random: Random, specs: readonly UseSpec[]): ControllerDeed[] {
  const key = () => one(random, specs).key;
  const account = () => `st${1 + Math.floor(random() * specs.length)}`;
  const isRekeyed = random() < 0.3;

  return Array.from({ length: one(random, [1, 2, 3, 4, 5]) }, (): ControllerDeed => {
    if (isRekeyed && random() < 0.5) return rekeyDeed(random, `st${1 + Math.floor(random() * specs.length)}`);

    const roll = random();
    if (roll < 0.5) return { do: 'newVersion', key: key() };
    if (roll < 0.6) return { do: 'wait' };
    if (roll < 0.7) return { do: 'pinBack', account: account() };
    if (roll < 0.75) return { do: 'pinNewest', account: account() };
    if (roll < 0.83) return { do: 'revoke', key: key() };
    if (roll < 0.91) return { do: 'restore', key: key() };
    if (roll < 0.93) return { do: 'deleteAccount', account: account() };
    if (roll < 0.94) return { do: 'regroup', account: account() };
    if (roll < 0.95) return { do: 'createAccount', spec: one(random, uses(random)) };
    if (roll < 0.97) return { do: 'pause', ...(random() < 0.5 ? { minutes: one(random, [1, 20]) } : {}) };

    return { do: 'loseIndex' };
  });
}

export function rekeyDeed(random: Random, account: string): ControllerDeed {
  const [from, to] = random() < 0.7 ? [FIRST_KEY, SECOND_KEY] : [SECOND_KEY, FIRST_KEY];
  const roll = random();
  if (roll < 0.5) return { do: 'rekey', from, to, maxFailures: one(random, [1, 3]) };
  if (roll < 0.6) return { do: 'moveTo', account, key: to };
  return { do: one(random, ['pauseRekey', 'resumeRekey', 'rollBackRekey', 'rollBackRekey', 'endRekey']) };
}

/** Versions come, accounts change, workers die, writes land late. */
export function randomControllerWorld(random: Random): () => World {
  if (random() < 0.1) return randomShapeWorld(random);
  if (random() < 0.35) return aimedControllerWorld(random, (key) => one(random, Object.values(aimedDeeds(key))));

  const specs = uses(random);
  const told = deeds(random, specs);
  const faults = one(random, [0, 1, 1, 2]);
  const scenario: ControllerScenario = {
    uses: specs,
    deeds: [WAIT, ...told, ...(told.some((deed) => deed.do === 'pause') ? [RESUME] : [])],
    instances: one(random, [1, 2, 3]),
    canaries: one(random, [0, 0, 1, 2]),
    faults,
    aim: one(random, [
      /./,
      /patch/,
      /audit|index writes/,
      /items|save|acquire|release/,
      /send/,
      /rollout|orders|probe|say|moved/,
    ]),
    kills: one(random, [0, 1, 1, 2 - faults]),
    losses: one(random, [0, 0, 1]),
    stalls: one(random, [0, 0, 1]),
    stampSkewMs: one(random, [0, 0, 120_000, -120_000]),
  };

  return () => new ControllerWorld(scenario);
}

/** What goes wrong at a certain moment, as it rarely does by chance; by what it is about. */
export function aimedDeeds(key: string): Readonly<Record<string, readonly ControllerDeed[]>> {
  const version: ControllerDeed = { do: 'newVersion', key };
  const killed = (during: RegExp): ControllerDeed => ({ do: 'kill', during });

  const pass = (seconds: number, during?: RegExp): ControllerDeed => ({
    do: 'pass',
    seconds,
    ...(during ? { during } : {}),
  });

  const pinBack: ControllerDeed = { do: 'pinBack', account: 'st1' };

  return {
    'a worker is killed while a PATCH is in flight': [version, killed(/^patch/)],
    'a worker is killed before its moves are recorded': [version, killed(/^audit/)],
    'a worker is killed before its rows are written': [version, killed(/^index writes/)],
    'an instance is killed while it decides on a key': [version, killed(/^rollout writes|^items writes/)],
    'the messages are lost while the holder of the lease is dead': [
      ...[version, killed(/^patch|^audit/), pass(20), version],
      { do: 'loseMessages' },
    ],
    'a write takes effect after the next worker has moved the account': [
      ...[version, pass(18, /^patch/), killed(/^patch/), pass(43), version],
    ],
    'a PATCH is aborted, and takes effect after a new version': [version, pass(61, /^patch/), version],
    'an account is set back twice': [version, WAIT, pinBack, WAIT, pinBack],
    'an item is queued again while it is finished': [
      version,
      WAIT,
      pinBack,
      { ...pinBack, during: /^items writes .*account/ },
    ],
    'a new version appears while accounts are read': [
      version,
      { ...version, during: /^get/ },
      { ...version, during: /^patch/ },
    ],
    'a new version appears while the gate is read': [version, { ...version, during: /^gate orders/ }, pass(6, /^gate/)],
    'two new versions appear one after the other': [version, WAIT, version],
    'the newest version is disabled once all uses are on it': [version, WAIT, { do: 'disableNewest', key }],
    'an account is set to a version that the list of a worker lacks': [
      version,
      { do: 'pinToNew', account: 'st1', during: /^get st1$/ },
    ],
    'the key is revoked while accounts are read': [
      version,
      { do: 'revoke', key, during: /^get/, seconds: 7 },
      { do: 'restore', key },
    ],
    'the key is revoked while its target is announced': [
      version,
      { do: 'revoke', key, during: /^save/, seconds: 7 },
      { do: 'restore', key },
    ],
    'moves are paused while accounts are read': [
      version,
      { do: 'pause', during: /^get|^patch/ },
      pass(30),
      WAIT,
      RESUME,
    ],
    // Ten seconds later the gate reads the orders again: it sees the pause, and then not that it has ended.
    'moves are resumed right after the gate has read the pause': [
      ...[{ ...version, after: 11 }, { do: 'pause', during: /^gate orders/ } as const],
      { ...RESUME, during: /^items writes work .*key/ },
    ],
    'moves are resumed, and the messages of the resume are lost': [
      version,
      { do: 'pause', during: /^get|^patch/ },
      pass(30),
      // The pass after this one finds the pause, and postpones the items.
      { ...RESUME, after: 200 },
      { do: 'loseMessages' },
    ],
    'an account appears that the index lacks': [
      ...[version, WAIT, { do: 'createAccount', spec: { ...SPEC, key, wave: '9' } } as const],
      version,
    ],
    'an account appears while its subscription is listed': [
      { do: 'createAccount', spec: { ...SPEC, key, scoped: true }, during: /^list/ },
      version,
    ],
    'an account is deleted while its scopes are listed': [
      { do: 'loseIndex' },
      { do: 'deleteAccount', account: 'st1', during: /^list scopes/ },
    ],
    'an account is moved to another resource group before a new version appears': [
      { do: 'regroup', account: 'st1' },
      version,
    ],
    'an account is moved to another resource group while accounts are read': [
      version,
      { do: 'regroup', account: 'st1', during: /^get|^patch/ },
    ],
    'a worker is killed while the index is built': [
      ...[{ do: 'loseIndex' } as const, killed(/^list|^index writes/)],
      ...[version, { ...killed(/^index writes/), after: 1 }],
    ],
    'the index is lost while a new version appears': [{ do: 'loseIndex' }, version],
    'the index is lost while a worker continues': [
      version,
      { do: 'loseIndex', during: /^audit|^index writes/ },
      version,
    ],
    'the index is lost while a stage is decided': [version, { do: 'loseIndex', during: /^rollout writes|^probe/ }],
    'a region hangs beside one that answers': [
      ...[{ do: 'hangRegion', region: REGIONS[0] ?? '' } as const, version],
      { do: 'healRegion', region: REGIONS[0] ?? '', after: 100 },
    ],
    'the index is lost': [version, WAIT, { do: 'loseIndex' }, version],
    ...rekeyDeeds(key),
  };
}

/** Orders that move everything to another key. */
function rekeyDeeds(from: string): Readonly<Record<string, readonly ControllerDeed[]>> {
  const to = from === FIRST_KEY ? SECOND_KEY : FIRST_KEY;
  const start: ControllerDeed = { do: 'rekey', from, to };
  const back: ControllerDeed = { do: 'rollBackRekey' };
  const killed = (during: RegExp): ControllerDeed => ({ do: 'kill', during });

  const version = (key: string, during?: RegExp): ControllerDeed => ({
    do: 'newVersion',
    key,
    ...(during ? { during } : {}),
  });

  return {
    'all uses are moved to another key': [start],
    'a worker is killed while it moves a use to another key': [start, killed(/^patch/)],
    'a worker is killed before a move to another key is in the index': [start, killed(/^audit|^moved|^index writes/)],
    'the target key of an order has a new version': [start, version(to, /^get|^patch/), WAIT, version(to)],
    'an order begins while its source key has a new version': [version(from), start],
    'an order is paused and resumed': [
      ...[start, { do: 'pauseRekey', during: /^get|^patch/ } as const, { do: 'pass', seconds: 40 } as const],
      ...[version(from), WAIT, { do: 'resumeRekey' } as const],
    ],
    'an order stops after a failure and is resumed': [
      ...[{ ...start, maxFailures: 1 } as const, { do: 'revoke', key: to, during: /^patch/ } as const],
      ...[{ do: 'restore', key: to } as const, WAIT, { do: 'resumeRekey' } as const],
    ],
    'the source key of an order is revoked and restored': [
      ...[start, { do: 'revoke', key: from, during: /^get/ } as const, { do: 'pass', seconds: 30 } as const],
      { do: 'restore', key: from },
    ],
    'an order is rolled back': [start, WAIT, back, WAIT, version(from)],
    'an order is rolled back while it moves': [start, { ...back, during: /^patch/ }],
    'an order is rolled back after its worker was killed': [start, killed(/^patch|^audit|^moved/), back],
    'an order is rolled back after others joined the target key': [
      ...[start, WAIT, { do: 'moveTo', account: 'st1', key: to } as const],
      ...[{ do: 'moveTo', account: 'st2', key: to } as const, WAIT, back],
    ],
    'an order ends while it moves': [start, { do: 'endRekey', during: /^patch/ }, version(from)],
  };
}

/** Every history of that kind: random but for what it is about. */
export function aimedControllerWorld(random: Random, deedsOf: (key: string) => readonly ControllerDeed[]): () => World {
  const specs = uses(random);
  const key = specs[0]?.key ?? FIRST_KEY;
  const told = deedsOf(key);

  // What a stage waits for is no matter of regions.
  const isPlain = told.some((deed) => deed.do === 'hangRegion');
  const scenario: ControllerScenario = {
    ...UNDISTURBED,
    uses: isPlain ? specs.map(({ wave: _, ...spec }) => spec) : specs,
    deeds: [WAIT, ...told],
    instances: one(random, [1, 2, 3]),
    canaries: isPlain ? 0 : one(random, [0, 0, 1, 2]),
    stampSkewMs: one(random, [0, 0, 120_000, -120_000]),
  };

  return () => new ControllerWorld(scenario);
}

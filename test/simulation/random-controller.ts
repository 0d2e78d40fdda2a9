import {
  type ControllerDeed,
  type ControllerScenario,
  ControllerWorld,
  FIRST_KEY,
  SECOND_KEY,
} from './controller-world.ts';
import type { World } from './explore.ts';
import type { UseSpec } from './memory-storage.ts';

type Random = () => number;

const one = <T>(random: Random, of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
const SUBSCRIPTIONS = ['11111111-1111-4111-8111-1111111111a1', '11111111-1111-4111-8111-1111111111b2'];
const REGIONS = ['westeurope', 'northeurope'];

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
    ...{ subscription, region: one(random, REGIONS), mode: 'pinned', key: FIRST_KEY },
    ...(wave === undefined ? {} : { wave }),
  }));
}

function deeds(random: Random, specs: readonly UseSpec[]): ControllerDeed[] {
  const key = () => one(random, specs).key;
  const account = () => `st${1 + Math.floor(random() * specs.length)}`;
  return Array.from({ length: one(random, [1, 2, 3, 4, 5]) }, (): ControllerDeed => {
    const roll = random();
    if (roll < 0.5) return { do: 'newVersion', key: key() };
    if (roll < 0.6) return { do: 'wait' };
    if (roll < 0.7) return { do: 'pinBack', account: account() };
    if (roll < 0.75) return { do: 'pinNewest', account: account() };
    if (roll < 0.83) return { do: 'revoke', key: key() };
    if (roll < 0.91) return { do: 'restore', key: key() };
    if (roll < 0.95) return { do: 'deleteAccount', account: account() };
    if (roll < 0.97) return { do: 'pause', ...(random() < 0.5 ? { minutes: one(random, [1, 20]) } : {}) };
    return { do: 'loseIndex' };
  });
}

/** Versions come, accounts change, workers die, writes land late. */
export function randomControllerWorld(random: Random): () => World {
  const specs = uses(random);
  const told = random() < 0.35 ? aimed(random, specs[0]?.key ?? FIRST_KEY) : deeds(random, specs);
  const isAimed = told.some(({ during }) => during !== undefined);
  const faults = isAimed ? 0 : one(random, [0, 1, 1, 2]);
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
      /rollout|orders|probe|say/,
    ]),
    kills: isAimed ? 0 : one(random, [0, 1, 1, 2 - faults]),
    losses: isAimed ? 0 : one(random, [0, 0, 1]),
    stalls: isAimed ? 0 : one(random, [0, 0, 1]),
    stampSkewMs: one(random, [0, 0, 120_000, -120_000]),
  };
  return () => new ControllerWorld(scenario);
}

/** What goes wrong at a certain moment, as it rarely does by chance. */
function aimed(random: Random, key: string): ControllerDeed[] {
  const version: ControllerDeed = { do: 'newVersion', key };
  const killed = (during: RegExp): ControllerDeed => ({ do: 'kill', during });
  return one<ControllerDeed[]>(random, [
    // A worker dies between PATCH, record and row.
    [version, killed(/^patch/)],
    [version, killed(/^audit/)],
    [version, killed(/^index writes/)],
    [version, killed(/^rollout put|^items put/)],
    // Its message is gone as well, and a later one meets the lease of the dead.
    [version, killed(/^patch|^audit/), { do: 'pass', seconds: 20 }, version, { do: 'loseMessages' }],
    // Its last write lands after the next worker has moved the account on.
    [version, { do: 'pass', seconds: 18, during: /^patch/ }, killed(/^patch/), { do: 'pass', seconds: 43 }, version],
    [version, { do: 'pass', seconds: 59, during: /^patch/ }, version],
    // The same move twice.
    [version, WAIT, { do: 'pinBack', account: 'st1' }, WAIT, { do: 'pinBack', account: 'st1' }],
    [
      version,
      WAIT,
      { do: 'pinBack', account: 'st1' },
      { do: 'pinBack', account: 'st1', during: /^items finish account/ },
    ],
    // Versions come while others are moved to.
    [version, { ...version, during: /^gate orders/ }, { do: 'pass', seconds: 6, during: /^gate/ }],
    [version, WAIT, version],
    [version, { ...version, during: /^get/ }, { ...version, during: /^patch/ }],
    [
      version,
      { do: 'revoke', key, during: /^get/ },
      { do: 'pass', seconds: 7, during: /^get/ },
      { do: 'restore', key },
    ],
    [version, { do: 'pause', during: /^get|^patch/ }, { do: 'pass', seconds: 30 }, WAIT],
    [{ do: 'pause' }, version, WAIT, RESUME, { do: 'pause' }, { ...RESUME, during: /orders/ }],
  ]);
}

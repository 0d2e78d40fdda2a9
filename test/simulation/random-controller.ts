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

const RESUME: ControllerDeed = { do: 'resume' };

function uses(random: Random): UseSpec[] {
  return Array.from({ length: one(random, [1, 2, 3, 4]) }, () => ({
    subscription: one(random, SUBSCRIPTIONS.slice(0, one(random, [1, 1, 2]))),
    region: one(random, REGIONS),
    mode: one(random, ['pinned', 'pinned', 'automatic'] as const),
    key: one(random, [FIRST_KEY, FIRST_KEY, SECOND_KEY]),
    scoped: random() < 0.25,
    ...one(random, [{}, {}, { wave: '1' }, { wave: '2' }]),
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
  const told = deeds(random, specs);
  const faults = one(random, [0, 1, 1, 2]);
  const scenario: ControllerScenario = {
    uses: specs,
    deeds: [{ do: 'wait' }, ...told, ...(told.some((deed) => deed.do === 'pause') ? [RESUME] : [])],
    canaries: one(random, [0, 0, 1, 2]),
    instances: one(random, [1, 2, 3]),
    faults,
    aim: one(random, [
      /./,
      /patch/,
      /audit|index writes/,
      /items|save|acquire|release/,
      /send/,
      /rollout|orders|probe|say/,
    ]),
    kills: one(random, [0, 1, 1, 2 - faults]),
    losses: one(random, [0, 0, 1]),
    stalls: one(random, [0, 0, 1]),
    stampSkewMs: one(random, [0, 0, 120_000, -120_000]),
  };
  return () => new ControllerWorld(scenario);
}

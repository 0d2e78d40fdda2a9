import { describe, it } from 'vitest';
import { randomly } from './choose.ts';
import {
  type ControllerDeed,
  type ControllerScenario,
  ControllerWorld,
  FIRST_KEY,
  SECOND_KEY,
  UNDISTURBED,
} from './controller-world.ts';
import { runHistory, seeded } from './explore.ts';
import { aimedControllerWorld, aimedDeeds } from './random-controller.ts';
import { MANY, SHAPES, shapeWorld } from './random-shapes.ts';

/** Of each kind; `npm run simulate` runs many more. */
const HISTORIES = 12;

const USE = {
  subscription: '11111111-1111-4111-8111-1111111111a1',
  region: 'westeurope',
  ...({ mode: 'pinned', key: FIRST_KEY } as const),
};
const WAIT: ControllerDeed = { do: 'wait' };
const REKEY: ControllerDeed = { do: 'rekey', from: FIRST_KEY, to: SECOND_KEY };
const CREATE: ControllerDeed = { do: 'createAccount', spec: { ...USE, scoped: true } };

describe('the controller', () => {
  it.each(Object.keys(aimedDeeds('files-key')))('The controller keeps its invariants when %s', async (name) => {
    for (let seed = 1; seed <= HISTORIES; seed += 1) {
      const random = seeded(seed);
      const make = aimedControllerWorld(random, (key) => aimedDeeds(key)[name] ?? []);
      await runHistory(make(), randomly(random));
    }
  });

  it.each(Object.entries(SHAPES).filter(([name]) => !MANY.includes(name)))(
    'The controller keeps its invariants when %s',
    async (_, shape) => {
      for (let seed = 1; seed <= HISTORIES; seed += 1) {
        const random = seeded(seed);
        await runHistory(shapeWorld(random, shape)(), randomly(random));
      }
    },
  );

  it.each<[string, Pick<ControllerScenario, 'uses' | 'deeds'> & Partial<ControllerScenario>]>([
    [
      'the target key of an order has a new version before the index has a use of it',
      {
        uses: ['1', '2', '2', '2'].map((wave) => ({ ...USE, wave })),
        deeds: [WAIT, REKEY, { do: 'newVersion', key: SECOND_KEY, during: /^patch/ }],
        canaries: 1,
      },
    ],
    ...[/^patch st2 /, /^patch st2.scope/].map((during): [string, Pick<ControllerScenario, 'uses' | 'deeds'>] => [
      `a worker is killed while it moves a use that the index lacks: ${during.source}`,
      { uses: [USE], deeds: [WAIT, CREATE, { do: 'newVersion', key: FIRST_KEY }, { do: 'kill', during }] },
    ]),
    [
      'a move to another key cannot be recorded, and its order ends',
      {
        uses: [USE],
        deeds: [WAIT, REKEY, { do: 'endRekey', during: /^index writes/ }],
        faults: 1,
        kinds: ['fails'],
        aim: /^audit st/,
      },
    ],
  ])('The controller keeps its invariants when %s', async (_, scenario) => {
    for (let seed = 1; seed <= HISTORIES; seed += 1) {
      await runHistory(new ControllerWorld({ ...UNDISTURBED, ...scenario }), randomly(seeded(seed)));
    }
  });
});

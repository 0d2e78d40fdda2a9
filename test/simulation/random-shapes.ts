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

type Random = () => number;
type Shape = (random: Random) => Pick<ControllerScenario, 'uses' | 'deeds'> & Partial<ControllerScenario>;

const one = <T>(random: Random, of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;

const WAIT: ControllerDeed = { do: 'wait' };
const USE: UseSpec = {
  subscription: '11111111-1111-4111-8111-1111111111a1',
  region: 'westeurope',
  mode: 'pinned',
  key: FIRST_KEY,
};

function repeat<T>(times: number, make: (n: number) => T): T[] {
  return Array.from({ length: times }, (_, n) => make(n));
}

/** Nothing of its own, or an instance that is killed while it works on the deed before. */
function perhapsKilled(random: Random): readonly ControllerDeed[] {
  return one<readonly ControllerDeed[]>(random, [
    [],
    [{ do: 'kill', during: /^patch/ }],
    [{ do: 'kill', during: /^audit/ }],
    [{ do: 'kill', after: one(random, [2, 5, 20]) }],
  ]);
}

/** What is managed, in ways in which the few accounts and keys of the other worlds do not differ. */
export const SHAPES: Readonly<Record<string, Shape>> = {
  'names of one key are written in two ways': (random) => ({
    uses: repeat(4, () => ({ ...USE, scoped: random() < 0.3, inCapitals: random() < 0.5 })),
    deeds: [
      WAIT,
      { do: 'newVersion', key: FIRST_KEY },
      ...perhapsKilled(random),
      WAIT,
      { do: 'newVersion', key: FIRST_KEY },
    ],
    canaries: one(random, [0, 1]),
  }),

  'encryption scopes are created after those of their account were listed': (random) => ({
    uses: repeat(2, () => ({ ...USE, scoped: random() < 0.5 })),
    deeds: [
      WAIT,
      ...repeat<ControllerDeed>(one(random, [1, 2, 4]), () => ({
        do: 'createScope',
        account: one(random, ['st1', 'st2']),
        ...one(random, [{}, { after: 40 }, { during: /^list scopes/ }]),
      })),
      ...perhapsKilled(random),
      { do: 'newVersion', key: FIRST_KEY },
      ...perhapsKilled(random),
    ],
  }),

  'a vault hangs beside one that answers': (random) => ({
    uses: repeat(one(random, [2, 6, 20]), (n) => ({ ...USE, key: n % 2 === 0 ? FIRST_KEY : SECOND_KEY })),
    deeds: [
      WAIT,
      { do: 'newVersion', key: SECOND_KEY },
      { do: 'newVersion', key: FIRST_KEY },
      { do: 'hangVault', key: SECOND_KEY, during: one(random, [/^acquire/, /^save/, /^patch/]) },
      { do: 'healVault', key: SECOND_KEY, after: one(random, [100, 400]) },
    ],
  }),

  'thirty keys of a subscription have a new version at once': (random) => ({
    uses: repeat(30, (n) => ({ ...USE, key: `key-${n}`, scoped: random() < 0.2 })),
    deeds: [WAIT, { do: 'newVersions' }, ...perhapsKilled(random)],
  }),

  'each of 400 customers has a key on a scope of one account': (random) => ({
    uses: [{ ...USE, scopeKeys: repeat(400, (n) => nameOfCustomer(n)) }, USE],
    deeds: [WAIT, { do: 'newVersions' }, ...perhapsKilled(random)],
  }),

  'each of 400 accounts has a key of its own': (random) => ({
    uses: repeat(400, (n) => ({ ...USE, key: nameOfCustomer(n) })),
    deeds: [WAIT, { do: 'newVersions' }, { do: 'kill', after: one(random, [5, 40]) }],
  }),
};

/** As long as Key Vault allows names to be in practice: with 400 of them a list fills a table's property. */
function nameOfCustomer(n: number): string {
  return `customer-with-a-long-name-in-the-contract-${String(n).padStart(4, '0')}`;
}

/** Shapes whose histories take seconds each. */
export const MANY: readonly (keyof typeof SHAPES)[] = [
  'each of 400 customers has a key on a scope of one account',
  'each of 400 accounts has a key of its own',
];

/** How many of 100 histories have the shape: those with many keys take seconds each. */
const SHARES: readonly (readonly [shape: keyof typeof SHAPES, share: number])[] = [
  ['names of one key are written in two ways', 35],
  ['encryption scopes are created after those of their account were listed', 20],
  ['a vault hangs beside one that answers', 40],
  ['thirty keys of a subscription have a new version at once', 4],
  ['each of 400 customers has a key on a scope of one account', 0.5],
  ['each of 400 accounts has a key of its own', 0.5],
];

export function shapeWorld(random: Random, shape: Shape): () => World {
  const scenario: ControllerScenario = {
    ...UNDISTURBED,
    instances: one(random, [1, 2, 3]),
    stampSkewMs: one(random, [0, 0, 120_000, -120_000]),
    ...shape(random),
  };
  return () => new ControllerWorld(scenario);
}

export function randomShapeWorld(random: Random): () => World {
  let left = random() * 100;
  for (const [name, share] of SHARES) {
    const shape = SHAPES[name];
    left -= share;
    if (left < 0 && shape) return shapeWorld(random, shape);
  }
  throw new Error('The shares do not add up to 100.');
}

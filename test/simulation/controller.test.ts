import { describe, it } from 'vitest';
import { randomly } from './choose.ts';
import { runHistory, seeded } from './explore.ts';
import { aimedControllerWorld, aimedDeeds } from './random-controller.ts';

/** Of each kind; `npm run simulate` runs many more. */
const HISTORIES = 12;

describe('The controller keeps its invariants when', () => {
  it.each(Object.keys(aimedDeeds('files-key')))('%s', async (name) => {
    for (let seed = 1; seed <= HISTORIES; seed += 1) {
      const random = seeded(seed);
      const make = aimedControllerWorld(random, (key) => aimedDeeds(key)[name] ?? []);
      await runHistory(make(), randomly(random));
    }
  });
});

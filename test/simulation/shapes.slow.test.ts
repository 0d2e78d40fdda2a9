import { expect, it } from 'vitest';
import { randomly } from './choose.ts';
import { runHistory, seeded } from './explore.ts';
import { MANY, SHAPES, shapeWorld } from './random-shapes.ts';

/** Each takes seconds; `npm run simulate` has more of them. */
const HISTORIES = 2;

it.each(MANY)('the controller keeps its invariants when %s', async (name) => {
  for (let seed = 1; seed <= HISTORIES; seed += 1) {
    const random = seeded(seed);
    const shape = SHAPES[name];
    expect(shape).toBeDefined();
    if (shape) await runHistory(shapeWorld(random, shape)(), randomly(random));
  }
});

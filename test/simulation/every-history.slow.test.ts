import { describe, expect, it } from 'vitest';
import { exploreAll } from './explore.ts';
import { KeyWorld } from './key-world.ts';
import { SCENARIOS } from './scenarios.ts';

describe('revocation and restore', () => {
  it.each(SCENARIOS.filter(({ isLong }) => !isLong))(
    'Revocation and restore keep their invariants in every history of $name',
    { timeout: 100_000 },
    async ({ scenario, switches }) => {
      const { states, ends } = await exploreAll(
        () => new KeyWorld(scenario),
        switches === undefined ? {} : { switches },
      );
      expect(ends).toBeGreaterThan(0);
      console.log(`${states} states, ${ends} ends`);
    },
  );
});

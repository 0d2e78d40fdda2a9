import { it } from 'vitest';
import { randomly } from './choose.ts';
import { runHistory, seeded } from './explore.ts';
import { randomGrantsWorld } from './random-grants.ts';

const TENANTS = 3_000;

it('An identity has access to a key, and its revocation is complete, exactly as its roles, groups and policies say', async () => {
  for (let seed = 1; seed <= TENANTS; seed += 1) {
    const random = seeded(seed);
    await runHistory(randomGrantsWorld(random)(), randomly(random));
  }
});

import fc from 'fast-check';
import { it } from 'vitest';
import { MemoryVault } from './memory-vault.ts';
import { History, histories } from './revocation-histories.ts';

it('A revocation is sticky, and its restore is exact, after every step of 1,000 random histories', async () => {
  await fc.assert(
    fc.asyncProperty(
      histories(24),
      fc.record({
        dualControl: fc.boolean(),
        skewMs: fc.constantFrom(-90_000, 0, 0, 90_000),
        copiesTags: fc.boolean(),
      }),
      fc.integer(),
      async (steps, { copiesTags, ...options }, seed) => {
        await new History(new MemoryVault({ copiesTags, seed }), options).run(steps);
      },
    ),
    { numRuns: 1_000 },
  );
});

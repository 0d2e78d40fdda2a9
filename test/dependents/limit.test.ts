import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limited } from '../../src/dependents/limit.ts';

describe('a limit', () => {
  it('never runs more at a time than it allows, runs everything, and gives back each result', async () => {
    const job = fc.record({ turns: fc.nat(5), fails: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5 }), fc.array(job, { maxLength: 30 }), async (concurrency, jobs) => {
        const limit = limited(concurrency);
        let running = 0;
        let most = 0;
        const results = await Promise.allSettled(
          jobs.map(({ turns, fails }, index) =>
            limit(async () => {
              running += 1;
              most = Math.max(most, running);
              for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
              running -= 1;
              if (fails) throw new Error(String(index));
              return index;
            }),
          ),
        );
        expect(most).toBeLessThanOrEqual(concurrency);
        expect(results.map((result) => result.status === 'fulfilled')).toEqual(jobs.map(({ fails }) => !fails));
        expect(running).toBe(0);
      }),
    );
  });
});

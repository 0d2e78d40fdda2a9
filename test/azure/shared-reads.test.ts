import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SharedReads } from '../../src/azure/shared-reads.ts';

describe('SharedReads', () => {
  it('never gives an answer to a question asked before the caller came, whatever the order (invariant 1)', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.tuple(fc.constantFrom('a', 'b'), fc.boolean()), { minLength: 1, maxLength: 12 }),
        async (scheduler, callers) => {
          const reads = new SharedReads<number>();
          let time = 0;
          const answers: { came: number; asked: number | 'failed' }[] = [];
          const calls = scheduler.scheduleSequence(
            callers.map(([name, fails], index) => async () => {
              time += 1;
              const came = time;
              const read = async () => {
                time += 1;
                const asked = time;
                await scheduler.schedule(Promise.resolve(), `read ${index}`);
                if (fails) throw new Error('refused');
                return asked;
              };
              void reads.read(name, read).then(
                (asked) => answers.push({ came, asked }),
                () => answers.push({ came, asked: 'failed' }),
              );
            }),
          );
          await scheduler.waitFor(calls.task);
          await scheduler.waitIdle();
          expect(answers).toHaveLength(callers.length);
          for (const { came, asked } of answers) if (asked !== 'failed') expect(asked).toBeGreaterThan(came);
        },
      ),
    );
  });

  it('asks once for all who come while a read is under way, and anew when nobody reads', async () => {
    const reads = new SharedReads<number>();
    let asked = 0;
    const read = async () => {
      asked += 1;
      const mine = asked;
      await new Promise((resolve) => setImmediate(resolve));
      return mine;
    };
    const first = reads.read('a', read);
    const others = [1, 2, 3, 4].map(() => reads.read('a', read));
    expect([await first, ...(await Promise.all(others))]).toEqual([1, 2, 2, 2, 2]);
    expect(await reads.read('a', read)).toBe(3);
    expect(asked).toBe(3);
  });

  it('goes on after a read that failed', async () => {
    const reads = new SharedReads<number>();
    const refused = reads.read('a', () => Promise.reject(new Error('refused')));
    const next = reads.read('a', () => Promise.resolve(2));
    await expect(refused).rejects.toThrow('refused');
    expect(await next).toBe(2);
  });
});

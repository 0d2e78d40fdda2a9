import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type PartTaken, ReadCache } from '../../src/azure/read-cache.ts';

/** A source that answers when the test says so, and counts its reads. */
class Source {
  reads = 0;
  readonly #ends: PromiseWithResolvers<string>[] = [];

  readonly load = (): Promise<string> => {
    this.reads += 1;
    const end = Promise.withResolvers<string>();
    this.#ends.push(end);
    return end.promise;
  };

  /** Ends the oldest read that is in flight. */
  answer(value: string): void {
    this.#ends.shift()?.resolve(value);
  }

  fail(): void {
    this.#ends.shift()?.reject(new Error('no'));
  }
}

describe('a cache of reads', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const soon = async (taking: Promise<PartTaken<string>>, ms = 0): Promise<PartTaken<string>> => {
    await vi.advanceTimersByTimeAsync(ms);
    return taking;
  };

  it('A cache of reads reads each name once within its time to live, and shares a read in flight', async () => {
    const cache = new ReadCache<number>(1_000);
    let reads = 0;
    const load = async () => {
      reads += 1;
      return reads;
    };
    const read = async (name = 'a') => (await cache.read(name, load)).value;

    expect(await Promise.all([read(), read(), read('b')])).toEqual([1, 1, 2]);
    await vi.advanceTimersByTimeAsync(999);
    expect(await read()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await read()).toBe(3);
  });

  it('A cache of reads has room for 5,000 names, and evicts the least recently used', async () => {
    const cache = new ReadCache<number>(1_000);
    const load = vi.fn(async () => 1);
    const read = (name: number) => cache.read(String(name), load);
    for (let name = 0; name <= 5_000; name += 1) await read(name);

    await read(5_000);
    expect(load).toHaveBeenCalledTimes(5_001);

    await read(0);
    expect(load).toHaveBeenCalledTimes(5_002);
  });

  it('A cache of reads reads again only after the previous read has ended', async () => {
    const cache = new ReadCache<string>(1_000);
    const source = new Source();
    cache.take('', source.load, 0);
    await vi.advanceTimersByTimeAsync(40_000);
    source.answer('a');
    await vi.advanceTimersByTimeAsync(39_000);
    expect(await soon(cache.take('', source.load, 0))).toMatchObject({ value: 'a', ageMs: 79_000 });
    expect(source.reads).toBe(1);
  });

  it('A cache of reads serves the last value while it reads again, but never one past its time to live', async () => {
    const cache = new ReadCache<string>(10_000);
    const source = new Source();
    const take = () => soon(cache.take('', source.load, 1_500), 1_500);

    expect(await take()).toEqual({ reading: true });

    source.answer('a');

    expect(await take()).toMatchObject({ value: 'a' });

    await vi.advanceTimersByTimeAsync(100_000);

    expect(await take()).toMatchObject({ value: 'a' });

    await vi.advanceTimersByTimeAsync(80_000);

    expect(await take()).toEqual({ reading: true });

    source.answer('b');

    expect(await take()).toMatchObject({ value: 'b' });
  });

  it('A cache of reads shares no read that began before a change, and marks an earlier value as stale', async () => {
    const cache = new ReadCache<string>(10_000);
    const source = new Source();
    const before = cache.take('', source.load, 1_500);

    cache.invalidate('');

    const after = cache.take('', source.load, 1_500);

    source.answer('a');

    expect(await soon(before)).toMatchObject({ value: 'a', reading: true });

    source.answer('b');

    expect(await soon(after)).not.toHaveProperty('reading');
    expect(await after).toMatchObject({ value: 'b' });
    expect(source.reads).toBe(2);
  });
});

it('a read after a change begins after all its callers arrived, in any order (invariant 1)', async () => {
  const callers = fc.array(fc.tuple(fc.constantFrom('a', 'b'), fc.boolean()), { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), callers, async (scheduler, all) => {
      const cache = new ReadCache<number>(0);
      let time = 0;
      const answers: { came: number; began: number | 'failed' }[] = [];
      const calls = scheduler.scheduleSequence(
        all.map(([name, fails], index) => async () => {
          time += 1;

          const came = time;

          const load = async () => {
            time += 1;
            const began = time;
            await scheduler.schedule(Promise.resolve(), `read ${index}`);
            if (fails) throw new Error('rejected');
            return began;
          };

          cache.invalidate(name);
          cache.read(name, load).then(
            ({ value }) => answers.push({ came, began: value }),
            () => answers.push({ came, began: 'failed' }),
          );
        }),
      );

      await scheduler.waitFor(calls.task);
      await scheduler.waitIdle();

      expect(answers).toHaveLength(all.length);

      for (const { came, began } of answers) {
        if (began !== 'failed') expect(began).toBeGreaterThan(came);
      }
    }),
  );
});

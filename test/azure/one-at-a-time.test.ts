import { describe, expect, it } from 'vitest';
import { OneAtATime } from '../../src/azure/one-at-a-time.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('one at a time', () => {
  it('run one at a time of each name, and those of other names beside them', async () => {
    const turns = new OneAtATime();
    const { signal } = new AbortController();
    const begun: string[] = [];
    const ends: (() => void)[] = [];
    const work = (what: string) => () => {
      begun.push(what);
      return new Promise<void>((resolve) => ends.push(resolve));
    };
    const all = [
      turns.run('a', signal, work('a1')),
      turns.run('a', signal, work('a2')),
      turns.run('b', signal, work('b1')),
    ];
    await settle();
    expect(begun).toEqual(['a1', 'b1']);
    ends.shift()?.();
    await settle();
    expect(begun).toEqual(['a1', 'b1', 'a2']);
    for (const end of ends) end();
    await Promise.all(all);
  });

  it('are not lost with one that fails, nor taken by one that gives up', async () => {
    const turns = new OneAtATime();
    const never = new AbortController();
    let end: () => void = () => {};
    const first = turns.run('a', never.signal, () => new Promise<void>((resolve) => (end = resolve)));
    const impatient = new AbortController();
    const given = turns.run('a', impatient.signal, async () => 'gave up');
    let began = false;
    const third = turns.run('a', never.signal, async () => {
      began = true;
      throw new Error('no');
    });
    impatient.abort();
    expect(await given).toBe('gave up');
    await settle();
    expect(began).toBe(false);
    end();
    await first;
    await expect(third).rejects.toThrow('no');
    expect(await turns.run('a', never.signal, async () => 'next')).toBe('next');
  });
});

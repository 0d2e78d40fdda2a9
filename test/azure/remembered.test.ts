import { describe, expect, it } from 'vitest';
import { Remembered } from '../../src/azure/remembered.ts';

describe('what is remembered', () => {
  it('is read once in a while, by name, and shared by who asks meanwhile', async () => {
    let [reads, ms] = [0, 0];
    const remembered = new Remembered<number>(1_000);
    const now = () => new Date(ms);
    const read = (name = 'a') => remembered.read(name, now, async () => ++reads);
    expect((await Promise.all([read(), read()])).map(({ value }) => value)).toEqual([1, 1]);
    ms = 999;
    expect(await read()).toEqual({ value: 1, readOn: new Date(0) });
    expect((await read('b')).value).toBe(2);
    ms = 1_000;
    expect(await read()).toEqual({ value: 3, readOn: new Date(1_000) });
  });

  it('is no failure: who asks next reads again', async () => {
    const remembered = new Remembered<number>(1_000);
    const now = () => new Date(0);
    await expect(remembered.read('a', now, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect((await remembered.read('a', now, async () => 1)).value).toBe(1);
  });

  it('is no more than so many names', async () => {
    let reads = 0;
    const remembered = new Remembered<number>(1_000);
    const read = (name: string) =>
      remembered.read(
        name,
        () => new Date(0),
        async () => {
          reads += 1;
          return reads;
        },
      );
    for (let n = 0; n < 5_001; n += 1) await read(String(n));
    await read('5000');
    expect(reads).toBe(5_001);
    await read('0');
    expect(reads).toBe(5_002);
  });
});

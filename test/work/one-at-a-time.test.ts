import { expect, it } from 'vitest';
import { OneAtATime } from '../../src/work/one-at-a-time.ts';

it('runs the same name in order, other names beside it, and goes on after a failure', async () => {
  const queue = new OneAtATime();
  const seen: string[] = [];
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const first = queue.run('a', async () => {
    await gate;
    seen.push('a1');
    throw new Error('failed');
  });
  const second = queue.run('a', async () => seen.push('a2'));
  await queue.run('b', async () => seen.push('b1'));
  expect(seen).toEqual(['b1']);
  open();
  await expect(first).rejects.toThrow('failed');
  await second;
  expect(seen).toEqual(['b1', 'a1', 'a2']);
});

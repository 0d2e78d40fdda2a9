import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { StorageClock } from '../../src/azure/storage-clock.ts';

beforeAll(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterAll(() => {
  vi.useRealTimers();
});

const header = (ms: number) => new Date(ms).toUTCString();

it('StorageClock keeps the time of this machine while the answers of Storage agree with it, else follows the answers', () => {
  const clock = new StorageClock();
  const drift = () => clock.now().getTime() - Date.now();

  clock.learn(header(Date.now()), Date.now());

  expect(Math.abs(drift())).toBeLessThan(50);

  clock.learn(header(Date.now() + 120_000), Date.now());

  expect(drift()).toBeGreaterThan(118_900);
  expect(drift()).toBeLessThan(120_100);

  clock.learn('no date', Date.now());
  clock.learn(undefined, Date.now());

  expect(drift()).toBeGreaterThan(118_900);
});

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TypedData } from '../../local/host/core-types.ts';
import { TimerListener, type TimerListenerOptions } from '../../local/host/timer-listener.ts';

beforeEach(() => vi.useFakeTimers({ now: new Date('2030-01-01T00:00:00Z') }));
afterEach(() => vi.useRealTimers());

function start(options: Partial<TimerListenerOptions> = {}): { runs: TypedData[]; listener: TimerListener } {
  const runs: TypedData[] = [];
  const listener = new TimerListener({
    schedule: '0 */5 * * * *',
    run: async (data) => {
      runs.push(data);
    },
    ...options,
  });

  listener.start();
  return { runs, listener };
}

const parsed = (data: TypedData | undefined) => JSON.parse(data?.json ?? 'null') as Record<string, unknown>;

describe('a schedule', () => {
  it('A timer calls its function at each occurrence, with the schedule status', async () => {
    const { runs } = start();

    await vi.advanceTimersByTimeAsync(16 * 60_000);

    expect(runs).toHaveLength(3);

    expect(parsed(runs[1])).toEqual({
      Schedule: { AdjustForDST: true },
      ScheduleStatus: {
        Last: '2030-01-01T00:05:00.000Z',
        LastUpdated: '2030-01-01T00:05:00.000Z',
        Next: '2030-01-01T00:15:00.000Z',
      },
      IsPastDue: false,
    });
  });

  it('A timer skips an occurrence while the previous call still runs', async () => {
    let running = 0;
    let runs = 0;
    start({
      run: async () => {
        running += 1;
        expect(running).toBe(1);
        runs += 1;
        await new Promise((resolve) => setTimeout(resolve, 12 * 60_000));
        running -= 1;
      },
    });

    await vi.advanceTimersByTimeAsync(26 * 60_000);

    expect(runs).toBe(2); // 00:05 to 00:17, then 00:20
  });
});

it('A timer with runOnStartup calls its function at the start', async () => {
  const { runs } = start({ runOnStartup: true });
  await vi.advanceTimersByTimeAsync(0);
  expect(runs).toHaveLength(1);
});

it.each([
  ['with useMonitor: false', { useMonitor: false }],
  ['with a period under a minute', { schedule: '*/10 * * * * *' }],
])('A timer has no schedule status %s', async (_what, options) => {
  const { runs } = start(options);
  await vi.advanceTimersByTimeAsync(5 * 60_000);
  expect(parsed(runs[0]).ScheduleStatus).toBeNull();
});

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { timeSpanMs } from '../../local/host/host-json.ts';
import { CALL_LIMIT_MS } from '../../src/api/answer-call.ts';
import { runWithTimeLimit, TIME_LIMITS, wrapEventHandler } from '../../src/functions/time-limits.ts';
import { DONE } from '../../src/work/outcome.ts';

const ROOT = join(import.meta.dirname, '../..');
const never = (): Promise<never> => new Promise(() => {});

it('Work of a message that hangs ends with a retry that counts as an attempt', async () => {
  expect(await runWithTimeLimit(20, never)).toMatchObject({
    outcome: 'retry',
    reason: 'ServiceUnavailable',
    counts: true,
  });
});

it('an event whose handler hangs fails, in time for Event Grid to deliver it again', async () => {
  vi.useFakeTimers();
  try {
    const failed = expect(wrapEventHandler(never)()).rejects.toMatchObject({ name: 'TimeoutError' });
    await vi.advanceTimersByTimeAsync(TIME_LIMITS.event);
    await failed;
  } finally {
    vi.useRealTimers();
  }
});

it('work that ends returns its result or error, and leaves no timer behind', async () => {
  vi.useFakeTimers();
  try {
    expect(await runWithTimeLimit(60_000, async () => DONE)).toBe(DONE);
    const broken = runWithTimeLimit(60_000, () => Promise.reject(new Error('broken')));
    await expect(broken).rejects.toThrow('broken');
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

describe('every function of the app', () => {
  const folder = join(ROOT, 'src/functions');
  const registering = readdirSync(folder)
    .map((file) => [file, readFileSync(join(folder, file), 'utf8')] as const)
    .filter(([, text]) => /\bapp\.\w+(?:<unknown>)?\(/.test(text));

  it.each(registering)('%s has a time limit', (_, text) => {
    const bounds: Record<string, RegExp> = {
      storageQueue: /runWithTimeLimit\(/,
      eventGrid: /handler: wrapEventHandler\(/,
      http: /answerCalls\(/,
      timer: /abortAfter\(/,
    };
    const [, kind = ''] = /\bapp\.(\w+)/.exec(text) ?? [];
    expect(text).toMatch(bounds[kind] ?? /never/);
  });

  it('A function ends before its caller gives up: Event Grid after 30 s, the load balancer after 230 s', () => {
    const { event } = TIME_LIMITS;
    expect(event).toBeLessThanOrEqual(28_000);
    expect(CALL_LIMIT_MS).toBeLessThanOrEqual(220_000);
  });

  it('A function ends well before the function timeout of the host', () => {
    const { functionTimeout } = JSON.parse(readFileSync(join(ROOT, 'host.json'), 'utf8')) as {
      functionTimeout: string;
    };
    expect(timeSpanMs(functionTimeout)).toBe(30 * 60_000);
    expect(Math.max(...Object.values(TIME_LIMITS))).toBeLessThanOrEqual(10 * 60_000);
  });
});

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { abortAfter, runWithAbortSignal, untilAborted, withTokenDeadline } from '../../src/azure/deadline.ts';

const never = new Promise<never>(() => {});

describe('an operation with a time box', () => {
  it('An operation with a time box returns what it has gathered when time is up, even if a call ignores its signal', async () => {
    const gathered: string[] = [];
    const value = await abortAfter(async (signal) => {
      gathered.push('first');
      const complete = await untilAborted(never, signal);
      return { complete, gathered: [...gathered] };
    }, 20);
    expect(value).toEqual({ complete: false, gathered: ['first'] });
  });

  it('An operation with a time box ends when the outer signal aborts', async () => {
    const outer = new AbortController();
    const value = abortAfter((signal) => untilAborted(never, signal), 60_000, outer.signal);
    outer.abort();
    expect(await value).toBe(false);
  });
});

describe('a time limit of requests', () => {
  it.each([
    ['answered', async () => 'answer'],
    [
      'refused',
      async () => {
        throw new Error('refused');
      },
    ],
  ])('A time limit of requests leaves no timer behind when they are %s', async (_, request) => {
    vi.useFakeTimers();

    try {
      let signal: AbortSignal | undefined;
      const requests = runWithAbortSignal(60_000, async ({ abortSignal }) => {
        signal = abortSignal;
        return request();
      });

      expect(vi.getTimerCount()).toBe(1);

      await requests.catch(() => {});

      expect(vi.getTimerCount()).toBe(0);
      expect(signal?.aborted).toBe(false);
    } finally {
      vi.useRealTimers();
    }
  });

  it('A time limit of requests aborts them with an error that names it', async () => {
    const hanging = runWithAbortSignal(
      20,
      ({ abortSignal }) =>
        new Promise((_, reject) => abortSignal.addEventListener('abort', () => reject(abortSignal.reason))),
    );
    await expect(hanging).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  it('No file of the app uses `AbortSignal.timeout`, which outlives the request', () => {
    const src = join(import.meta.dirname, '../../src');
    for (const file of readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))) {
      expect(readFileSync(join(src, file), 'utf8'), file).not.toContain('AbortSignal.timeout(');
    }
  });
});

describe('a credential with a deadline', () => {
  const hanging = { getToken: () => never };

  it('A credential with a deadline fails when no token comes', async () => {
    await expect(withTokenDeadline(hanging, 20).getToken('scope')).rejects.toMatchObject({
      name: 'TimeoutError',
      message: 'No token arrived within 0.02 s.',
    });
  });

  it('A credential with a deadline stops waiting when its caller aborts', async () => {
    const caller = new AbortController();
    const gone = withTokenDeadline(hanging, 60_000).getToken('scope', { abortSignal: caller.signal });
    caller.abort();
    await expect(gone).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('A credential with a deadline works for later callers after the first aborted, although the SDK repeats that signal', async () => {
    const token = { token: 't', expiresOnTimestamp: 1 };
    const ours = withTokenDeadline({ getToken: async () => token }, 60_000);
    expect(await ours.getToken('scope', { abortSignal: AbortSignal.abort() })).toBe(token);
  });

  it('A credential with a deadline passes on the token, or the cause why there is none', async () => {
    const token = { token: 't', expiresOnTimestamp: 1 };
    expect(await withTokenDeadline({ getToken: async () => token }, 60_000).getToken('scope')).toBe(token);
    const broken = { getToken: () => Promise.reject(new Error('broken')) };
    await expect(withTokenDeadline(broken, 60_000).getToken('scope')).rejects.toThrow('broken');
  });
});

it('waiting for an abort ignores a late error of the aborted work', async () => {
  const controller = new AbortController();
  let fail: (error: Error) => void = () => {};
  const work = new Promise<void>((_, reject) => {
    fail = reject;
  });
  const waited = untilAborted(work, controller.signal);

  controller.abort();

  expect(await waited).toBe(false);

  fail(new Error('late')); // an unhandled rejection would fail the run

  await expect(work).rejects.toThrow('late');
});

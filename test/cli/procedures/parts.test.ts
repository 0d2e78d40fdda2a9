import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { Journal } from '../../../src/audit/journal.ts';
import { checkName } from '../../../src/cli/procedures/names.ts';
import type { Azure } from '../../../src/cli/procedures/operator-azure.ts';
import { retryPatiently } from '../../../src/cli/procedures/wait-for-propagation.ts';

it('names are validated before they become part of a path', () => {
  const kinds = ['vault', 'key', 'identity', 'account', 'resourceGroup', 'version'] as const;
  fc.assert(
    fc.property(fc.constantFrom(...kinds), fc.string(), (kind, name) => {
      try {
        checkName(kind, name);
      } catch {
        return;
      }
      expect(name).toMatch(/^[-\w.()]+$/);
    }),
  );
});

describe('Journal', () => {
  const change = { text: 'a', action: 'key.create', resource: 'k' } as const;

  it('A journal makes no change in a dry run, whatever the change', async () => {
    const apply = vi.fn(async () => 1);
    const journal = new Journal({ dryRun: true });

    expect(await journal.change(change, apply)).toBeUndefined();
    expect(apply).not.toHaveBeenCalled();

    expect(journal.report('op', 1)).toEqual({
      operation: 'op',
      dryRun: true,
      changed: true,
      entries: [{ kind: 'planned', ...change }],
      result: 1,
    });
  });

  it('A journal reports no change that failed', async () => {
    const recorded: unknown[] = [];
    const journal = new Journal({ record: (one) => recorded.push(one) });

    await expect(journal.change(change, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(journal.entries).toEqual([]);
    expect(recorded).toEqual([]);

    await journal.change(
      change,
      async () => 'v2',
      (to) => ({ to }),
    );

    expect(recorded).toEqual([{ ...change, to: 'v2' }]);
  });
});

describe('waiting for propagation', () => {
  const forbidden = Object.assign(new Error('not yet'), { statusCode: 403, code: 'Forbidden' });

  function waitingFor(seconds: number, attempt: () => Promise<string>) {
    let nowMs = 0;
    const sleeps: number[] = [];
    const azure = {
      now: () => new Date(nowMs),
      sleep: async (ms: number) => {
        sleeps.push(ms / 1000);
        nowMs += ms;
      },
    } as unknown as Azure;

    const patience = {
      waitingFor: 'it',
      seconds,
      mayPass: ({ kind }: { kind: string }) => kind !== 'refused',
      nextStep: 'Again.',
    };

    return { sleeps, result: retryPatiently({ azure, journal: new Journal() }, patience, attempt) };
  }

  it('The wait for propagation doubles between attempts, and ends in time', async () => {
    const { sleeps, result } = waitingFor(60, () => Promise.reject(forbidden));
    await expect(result).rejects.toMatchObject({ reason: 'NotPropagated', nextStep: 'Again.' });
    expect(sleeps).toEqual([2, 4, 8, 15, 15, 15]);
  });

  it('The wait for propagation is as long as the service asks', async () => {
    const throttled = Object.assign(new Error('x'), {
      statusCode: 429,
      response: { headers: { 'retry-after': '7' } },
    });
    const act = vi
      .fn(async () => 'ok')
      .mockRejectedValueOnce(throttled)
      .mockRejectedValueOnce(throttled);

    const { sleeps, result } = waitingFor(60, act);

    expect(await result).toBe('ok');
    expect(sleeps).toEqual([7, 7]);
  });
});

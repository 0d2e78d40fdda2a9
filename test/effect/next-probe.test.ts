import { describe, expect, it } from 'vitest';
import type { EffectState, KeyEffect } from '../../src/effect/effect.ts';
import { nextProbe, pendingAccounts } from '../../src/effect/next-probe.ts';

const since = '2026-01-01T00:00:00.000Z';
const after = (minutes: number): Date => new Date(Date.parse(since) + minutes * 60_000);
const effect = (states: readonly (EffectState | 'noShare')[], complete = true): KeyEffect => ({
  key: 'k',
  change: { expect: 'blocked', since },
  complete,
  accounts: states.map((state, index) => ({
    account: `/a/st${index}`,
    service: 'file',
    ...(state === 'noShare' ? {} : { share: 's' }),
    state: state === 'noShare' ? 'unknown' : state,
    since,
    checkedOn: since,
  })),
});

/** Where it is not told, the app has no role to ask with. */
const barred = (seen: KeyEffect): KeyEffect => ({
  ...seen,
  accounts: seen.accounts.map((one) =>
    one.state === 'unknown' ? { ...one, why: 'AuthorizationPermissionMismatch: the app lacks the role.' } : one,
  ),
});

describe('the next probe', () => {
  it.each<[sentence: string, seen: KeyEffect, attempt: number, minutes: number, next: ReturnType<typeof nextProbe>]>([
    ['none when every account shows it', effect(['blocked', 'blocked']), 0, 0, { next: 'done' }],
    ['none when there is no account', effect([]), 0, 0, { next: 'done' }],
    ['none for an account that can never show it', effect(['blocked', 'noShare']), 0, 0, { next: 'done' }],
    ['5 s after the first', effect(['open']), 0, 0, { next: 'again', delaySeconds: 5 }],
    ['10 s after the second', effect(['open']), 1, 0, { next: 'again', delaySeconds: 10 }],
    ['20 s after the third', effect(['open']), 2, 0, { next: 'again', delaySeconds: 20 }],
    ['40 s after the fourth', effect(['open']), 3, 1, { next: 'again', delaySeconds: 40 }],
    ['every minute from then on', effect(['open']), 4, 2, { next: 'again', delaySeconds: 60 }],
    ['every minute, however often', effect(['open']), 1_000, 29, { next: 'again', delaySeconds: 60 }],
    [
      'again for an account that did not tell',
      effect(['blocked', 'unknown']),
      0,
      0,
      { next: 'again', delaySeconds: 5 },
    ],
    ['again when not every account was found', effect(['blocked'], false), 0, 0, { next: 'again', delaySeconds: 5 }],
    ['none after half an hour', effect(['blocked', 'open']), 30, 30, { next: 'givenUp' }],
    ['none after half an hour of not finding all', effect([], false), 30, 31, { next: 'givenUp' }],
    [
      'again for ten minutes where the app lacks a role: it may have been given just now',
      barred(effect(['blocked', 'unknown'])),
      9,
      9,
      { next: 'again', delaySeconds: 60 },
    ],
    ['none after that, and nothing to give up', barred(effect(['blocked', 'unknown'])), 10, 10, { next: 'done' }],
    [
      'again for what else does not tell',
      barred(effect(['open', 'unknown'])),
      10,
      10,
      { next: 'again', delaySeconds: 60 },
    ],
    ['none to give up when it is seen late', effect(['blocked']), 30, 45, { next: 'done' }],
  ])('is %s', (_, seen, attempt, minutes, next) => {
    expect(nextProbe(seen, attempt, after(minutes))).toEqual(next);
  });

  it('waits for the accounts that can show it and do not', () => {
    const pending = pendingAccounts(effect(['blocked', 'open', 'unknown', 'noShare']));
    expect(pending.map(({ account }) => account)).toEqual(['/a/st1', '/a/st2']);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from '../../src/azure/parse-json.ts';
import {
  type AccountEffect,
  EFFECT,
  type EffectState,
  type KeyChange,
  type KeyEffect,
} from '../../src/probe/effect.ts';
import { listPendingAccounts, recordRound, scheduleNextProbe } from '../../src/probe/effect-record.ts';
import type { ProbeResult } from '../../src/probe/probe.ts';
import { KEY } from '../support/keys.ts';

const START = Date.parse('2026-01-01T00:00:00.000Z');
const at = (seconds: number): string => new Date(START + seconds * 1000).toISOString();
const secondsOf = (time: string): number => (Date.parse(time) - START) / 1000;
const WHY = { blocked: 'KeyVaultEncryptionKeyNotFound', noAccess: 'KeyVaultAccessTokenCannotBeAcquired' };

function resultOf(n: number, state: string, seconds: number): ProbeResult {
  const found = { account: `/a/st${n}`, service: 'file', share: 's', checkedOn: new Date(at(seconds)) } as const;
  const why = WHY[state as keyof typeof WHY];
  return { ...found, state: why ? 'blocked' : (state as EffectState), ...(why ? { why } : {}) };
}

/**
 * The record after some rounds: `revoked 0; 5 blocked open; restored 60; 63 open open` changes the key, or gives the
 * second of a round and the state of each account. `noAccess` is a block for another reason.
 */
function recordAfter(rounds: string): KeyEffect {
  let change: KeyChange | undefined;
  let record: KeyEffect | undefined;

  for (const round of rounds.split('; ')) {
    const [first = '', ...states] = round.split(' ');
    if (/^re/.test(first)) {
      change = { expect: first === 'revoked' ? 'blocked' : 'open', since: at(Number(states[0])) };
    } else if (change) {
      const results = states.map((state, n) => resultOf(n, state, Number(first)));
      record = recordRound(record, { key: KEY.id, change, complete: true, results });
    }
  }

  if (!record) throw new Error('A record needs a change and a round.');

  expect(EFFECT.parse(record)).toEqual(record);

  return record;
}

/** `blocked since 6, checked 60, after 6`. */
function stateAfter(rounds: string): string {
  const [effect] = recordAfter(rounds).accounts;
  if (!effect) return 'none';
  const { state, since, checkedOn, secondsAfterChange: seconds } = effect;
  return `${state} since ${secondsOf(since)}, checked ${secondsOf(checkedOn)}, after ${seconds}`;
}

/** `5 after the revocation of 0`. */
function refusedAfter(rounds: string): string | undefined {
  const { refusedAfter: last } = recordAfter(rounds);
  return last && `${last.seconds} after the revocation of ${secondsOf(last.revokedOn)}`;
}

describe('the record of an effect', () => {
  it.each<[sentence: string, rounds: string, expected: string]>([
    ['has no time while no block is seen', 'revoked 0; 1 open; 6 open', 'open since 1, checked 6, after undefined'],
    ['has the time to the first block', 'revoked 0; 1 open; 6 blocked', 'blocked since 6, checked 6, after 6'],
    ['keeps both while it stays blocked', 'revoked 0; 2 blocked; 60 blocked', 'blocked since 2, checked 60, after 2'],
    [
      'keeps the time over an unclear answer',
      'revoked 0; 2 blocked; 7 unknown; 9 blocked',
      'blocked since 9, checked 9, after 2',
    ],
    ['drops the time when it opens', 'revoked 0; 2 blocked; 7 open', 'open since 7, checked 7, after undefined'],
    [
      'measures again from a new change',
      'revoked 0; 2 blocked; restored 600; 601 blocked; 604 open',
      'open since 604, checked 604, after 4',
    ],
    [
      'does not keep the time of the previous change',
      'revoked 0; 2 blocked; restored 600; 601 blocked',
      'blocked since 2, checked 601, after undefined',
    ],
    [
      'has the time 0 when the account was blocked before',
      'revoked 0; 2 blocked; revoked 699; 700 blocked',
      'blocked since 2, checked 700, after 0',
    ],
    ['ignores an older answer', 'revoked 0; 6 blocked; 3 open', 'blocked since 6, checked 6, after 6'],
  ])('The record of an effect %s', (_, rounds, expected) => {
    expect(stateAfter(rounds)).toBe(expected);
  });

  it('The record of an effect has the measurement of each account, and drops an account that no longer uses the key', () => {
    const change = { expect: 'blocked', since: at(0) } as const;
    const blob = { account: '/a/st2', service: 'blob', container: 'c' } as const;
    const round = (results: ProbeResult[], current?: KeyEffect) =>
      recordRound(current, { key: KEY.id, change, complete: true, results });
    const first = round([resultOf(0, 'blocked', 5), resultOf(1, 'open', 5), { ...resultOf(2, 'open', 5), ...blob }]);
    const second = round([resultOf(0, 'blocked', 10), { ...resultOf(2, 'blocked', 10), ...blob }], first);

    expect(
      second.accounts.map(({ account, service, secondsAfterChange }) => [account, service, secondsAfterChange]),
    ).toEqual([
      ['/a/st0', 'file', 5],
      ['/a/st2', 'blob', 10],
    ]);
  });

  it('The record of an effect is parsed as it was written, in any order of rounds', () => {
    const state = fc.constantFrom('blocked', 'noAccess', 'open', 'unknown');
    const round = fc.tuple(fc.constantFrom('revoked 0; ', 'restored 600; '), fc.nat(2_000), state);
    fc.assert(
      fc.property(fc.array(round, { minLength: 1, maxLength: 12 }), (rounds) => {
        const record = recordAfter(rounds.map(([change, ...rest]) => `${change}${rest.join(' ')}`).join('; '));
        const [effect] = record.accounts;
        if (effect?.state === record.change.expect) expect(effect.secondsAfterChange).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it.each(['', '{}', '[1]', '{"key":"k","change":{"expect":"gone","since":"x"},"accounts":[]}'])(
    'The record of an effect is created again if the stored text is no record: %s',
    (text) => {
      expect(EFFECT.parse(parseJson(text))).toBeUndefined();
    },
  );
});

describe('the time that the last revocation took until Storage refused', () => {
  it.each<[sentence: string, rounds: string, expected: string | undefined]>([
    [
      'is the time until the last account began to refuse',
      'revoked 0; 1 open open; 6 blocked open; 16 blocked blocked',
      '16 after the revocation of 0',
    ],
    ['is known after the first round', 'revoked 0; 1 blocked', '1 after the revocation of 0'],
    ['is unknown while no account refuses', 'revoked 0; 1 open; 1800 open', undefined],
    ['is unknown without a clear answer', 'revoked 0; 1 unknown; 1800 unknown', undefined],
    ['stays over an unclear answer', 'revoked 0; 5 blocked; 65 unknown; 125 blocked', '5 after the revocation of 0'],
    [
      'is measured anew if an account serves data again',
      'revoked 0; 2 blocked; 7 open; 17 blocked',
      '17 after the revocation of 0',
    ],
    ['stays after a restore', 'revoked 0; 5 blocked; restored 60; 63 open', '5 after the revocation of 0'],
    [
      'is that of the last measured revocation',
      'revoked 0; 5 blocked; restored 60; 63 open; revoked 600; 608 blocked; restored 700; 701 open; revoked 900; 901 open',
      '8 after the revocation of 600',
    ],
    [
      'excludes an account that refused before the revocation',
      'revoked 0; 5 blocked; revoked 90000; 90001 blocked; 90060 blocked',
      '5 after the revocation of 0',
    ],
    ['excludes an account that refuses for another reason', 'revoked 0; 1 noAccess; 6 noAccess', undefined],
    ['excludes an account first probed in a later round', 'revoked 0; 5 unknown; 65 blocked', undefined],
    ['is unknown by a clock that is behind', 'revoked 0; -30 blocked', undefined],
    ['is the same when a round runs twice', 'revoked 0; 6 blocked; 6 blocked', '6 after the revocation of 0'],
  ])('The time that the last revocation took until Storage refused %s', (_, rounds, expected) => {
    expect(refusedAfter(rounds)).toBe(expected);
  });
});

describe('the next probe', () => {
  /**
   * Accounts by state; `noShare` has no share, `barred` is an account that the app has no role to list, and the lists of
   * shares of `throttled` and `failed` ended so.
   */
  const effect = (states: string, complete = true): KeyEffect => ({
    key: 'k',
    change: { expect: 'blocked', since: at(0) },
    complete,
    accounts: states.split(' ').flatMap((state, n) => (state === '' ? [] : accountIn(state, n))),
  });

  const accountIn = (state: string, n: number): AccountEffect => {
    const of = { account: `/a/st${n}`, service: 'file', since: at(0), checkedOn: at(0) } as const;
    if (state === 'noShare') return { ...of, state: 'unknown' };
    if (state === 'throttled' || state === 'failed') return { ...of, state: 'unknown', unlisted: state };
    if (state !== 'barred') return { ...of, state: state as EffectState, share: 's' };
    return { ...of, state: 'unknown', share: 's', why: 'AuthorizationPermissionMismatch: the app lacks the role.' };
  };

  const again = (delaySeconds: number) => ({ next: 'again', delaySeconds });
  const done = { next: 'done' };
  const givenUp = { next: 'givenUp' };

  it.each<[sentence: string, seen: KeyEffect, minutes: number, next: object]>([
    ['never when every account shows the effect', effect('blocked blocked'), 0, done],
    ['never when there is no account', effect(''), 0, done],
    ['never for an account that cannot show the effect', effect('blocked noShare'), 0, done],
    ['5 s after the change', effect('open'), 0, again(5)],
    ['10 s after the change', effect('open'), 5 / 60, again(5)],
    ['20 s after the change', effect('open'), 10 / 60, again(10)],
    ['40 s after the change', effect('open'), 20 / 60, again(20)],
    ['every minute after many attempts', effect('open'), 29, again(60)],
    ['again for an account without a result', effect('blocked unknown'), 0, again(5)],
    ['again when not every account was found', effect('blocked', false), 0, again(5)],
    ['never after half an hour', effect('blocked open'), 30, givenUp],
    ['never after half an hour in which not all accounts were found', effect('', false), 31, givenUp],
    ['again for two hours while lists are throttled', effect('blocked throttled', false), 119, again(60)],
    ['never after two hours of throttled lists', effect('blocked throttled', false), 120, givenUp],
    ['never after half an hour of a list that fails', effect('throttled failed', false), 30, givenUp],
    ['never after half an hour of an account that serves', effect('open throttled', false), 30, givenUp],
    ['again for ten minutes without a role, which may be new', effect('blocked barred'), 9, again(60)],
    ['never after ten minutes without a role, without an error', effect('blocked barred'), 10, done],
    ['again for the other accounts', effect('open barred'), 10, again(60)],
    ['never when the effect was seen late', effect('blocked'), 45, done],
  ])('The next probe is due %s', (_, seen, minutes, next) => {
    expect(scheduleNextProbe(seen, new Date(at(minutes * 60)))).toEqual(next);
  });

  it('The probe waits for the accounts that can show the effect and do not', () => {
    const pending = listPendingAccounts(effect('blocked open unknown noShare throttled'));
    expect(pending.map(({ account }) => account)).toEqual(['/a/st1', '/a/st2', '/a/st4']);
  });
});

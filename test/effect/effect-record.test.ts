import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EffectState, KeyChange, KeyEffect } from '../../src/effect/effect.ts';
import { EFFECT, recordRound } from '../../src/effect/effect-record.ts';
import { parseJson } from '../../src/text.ts';
import { KEY } from '../support/keys.ts';

const START = Date.parse('2026-01-01T00:00:00.000Z');
const at = (seconds: number): string => new Date(START + seconds * 1000).toISOString();
const REVOKED: KeyChange = { expect: 'blocked', since: at(0) };
const RESTORED: KeyChange = { expect: 'open', since: at(600) };

/** One account's record after it was seen in those states, at those seconds. */
function history(...rounds: [seconds: number, state: EffectState, change?: KeyChange][]) {
  const record = rounds.reduce<KeyEffect | undefined>(
    (current, [seconds, state, change = REVOKED]) =>
      recordRound(current, {
        key: KEY.id,
        change,
        complete: true,
        results: [
          { account: '/a/stfiles01', service: 'file', share: 'share1', state, checkedOn: new Date(at(seconds)) },
        ],
      }),
    undefined,
  );
  const [effect] = record?.accounts ?? [];
  return {
    state: effect?.state,
    since: effect?.since,
    checkedOn: effect?.checkedOn,
    seconds: effect?.secondsAfterChange,
  };
}

describe('the record of an effect', () => {
  it.each<[sentence: string, seen: Parameters<typeof history>, expected: ReturnType<typeof history>]>([
    [
      'keeps open without a time while the block is not seen',
      [
        [1, 'open'],
        [6, 'open'],
      ],
      { state: 'open', since: at(1), checkedOn: at(6), seconds: undefined },
    ],
    [
      'tells the time to the first sight of the block',
      [
        [1, 'open'],
        [6, 'blocked'],
      ],
      { state: 'blocked', since: at(6), checkedOn: at(6), seconds: 6 },
    ],
    [
      'keeps since and time while it stays blocked',
      [
        [2, 'blocked'],
        [60, 'blocked'],
      ],
      { state: 'blocked', since: at(2), checkedOn: at(60), seconds: 2 },
    ],
    [
      'keeps the time over an answer that tells nothing',
      [
        [2, 'blocked'],
        [7, 'unknown'],
        [9, 'blocked'],
      ],
      { state: 'blocked', since: at(9), checkedOn: at(9), seconds: 2 },
    ],
    [
      'takes the time back when it opens again',
      [
        [2, 'blocked'],
        [7, 'open'],
      ],
      { state: 'open', since: at(7), checkedOn: at(7), seconds: undefined },
    ],
    [
      'measures anew from a new change',
      [
        [2, 'blocked'],
        [601, 'blocked', RESTORED],
        [604, 'open', RESTORED],
      ],
      { state: 'open', since: at(604), checkedOn: at(604), seconds: 4 },
    ],
    [
      'does not carry the time of the change before',
      [
        [2, 'blocked'],
        [601, 'blocked', RESTORED],
      ],
      { state: 'blocked', since: at(2), checkedOn: at(601), seconds: undefined },
    ],
    [
      'calls it no time at all when it was so before',
      [
        [2, 'blocked'],
        [700, 'blocked', { expect: 'blocked', since: at(699) }],
      ],
      { state: 'blocked', since: at(2), checkedOn: at(700), seconds: 0 },
    ],
    [
      'does not go back to an older answer',
      [
        [6, 'blocked'],
        [3, 'open'],
      ],
      { state: 'blocked', since: at(6), checkedOn: at(6), seconds: 6 },
    ],
  ])('%s', (_, seen, expected) => {
    expect(history(...seen)).toEqual(expected);
  });

  it('tells the services of one account apart, and takes a record of an earlier version for one of file services', () => {
    const result = (service: 'file' | 'blob', state: EffectState, seconds: number) =>
      ({ account: '/a/one', service, state, checkedOn: new Date(at(seconds)) }) as const;
    const round = { key: KEY.id, change: REVOKED, complete: true };
    const file = { ...result('file', 'blocked', 5), share: 's' };
    const first = recordRound(undefined, { ...round, results: [file, result('blob', 'open', 5)] });
    const second = recordRound(first, {
      ...round,
      results: [{ ...file, checkedOn: new Date(at(10)) }, result('blob', 'blocked', 10)],
    });
    expect(second.accounts.map(({ service, secondsAfterChange }) => [service, secondsAfterChange])).toEqual([
      ['file', 5],
      ['blob', 10],
    ]);
    const { service: _, ...old } = first.accounts[0] ?? {};
    expect(EFFECT.parse({ ...first, accounts: [old], times: [] })?.accounts).toEqual([first.accounts[0]]);
  });

  it('drops an account that uses the key no longer', () => {
    const result = (account: string) =>
      ({ account, service: 'file', share: 's', state: 'open', checkedOn: new Date(at(1)) }) as const;
    const round = { key: KEY.id, change: REVOKED, complete: true };
    const first = recordRound(undefined, { ...round, results: [result('/a/one'), result('/a/two')] });
    const second = recordRound(first, { ...round, results: [result('/a/TWO')] });
    expect(second.accounts.map(({ account }) => account)).toEqual(['/a/TWO']);
  });

  it('survives being written and read, in whatever order rounds come', () => {
    const state = fc.constantFrom<EffectState>('blocked', 'open', 'unknown');
    const round = fc.tuple(fc.nat(2_000), state, fc.constantFrom(REVOKED, RESTORED));
    fc.assert(
      fc.property(fc.array(round, { minLength: 1, maxLength: 12 }), (rounds) => {
        let record: KeyEffect | undefined;
        for (const [seconds, seenState, change] of rounds) {
          record = recordRound(record, {
            key: KEY.id,
            change,
            complete: true,
            results: [
              { account: '/a/st', service: 'file', share: 's', state: seenState, checkedOn: new Date(at(seconds)) },
            ],
          });
          expect(EFFECT.parse(record)).toEqual(record);
          const [effect] = record.accounts;
          if (effect?.state === record.change.expect) expect(effect.secondsAfterChange).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });

  it.each(['', '{}', '[1]', '{"key":"k","change":{"expect":"gone","since":"x"},"accounts":[]}'])(
    'is made anew when what is there is no record: %s',
    (text) => {
      expect(EFFECT.parse(parseJson(text))).toBeUndefined();
    },
  );
});

import { describe, expect, it } from 'vitest';
import type { EffectState, EffectTime, KeyChange, KeyEffect } from '../../src/effect/effect.ts';
import { EFFECT, recordRound } from '../../src/effect/effect-record.ts';
import { sumTimes } from '../../src/effect/sum-times.ts';
import { KEY } from '../support/keys.ts';

const START = Date.parse('2026-01-01T00:00:00.000Z');
const at = (seconds: number): string => new Date(START + seconds * 1000).toISOString();
const revoked = (seconds: number): KeyChange => ({ expect: 'blocked', since: at(seconds) });
const restored = (seconds: number): KeyChange => ({ expect: 'open', since: at(seconds) });
const DISABLED = 'KeyVaultEncryptionKeyNotFound';

type Round = [seconds: number, change: KeyChange, states: readonly EffectState[], why?: string];

function recordAfter(...rounds: Round[]): KeyEffect | undefined {
  return rounds.reduce<KeyEffect | undefined>((current, [seconds, change, states, why = DISABLED]) => {
    const results = states.map((state, n) => ({
      account: `/a/st${n}`,
      service: 'file' as const,
      share: 'share1',
      state,
      ...(state === 'blocked' ? { why } : {}),
      checkedOn: new Date(at(seconds)),
    }));
    return recordRound(current, { key: KEY.id, change, complete: true, results });
  }, undefined);
}

/** `st0 blocked 5`, or `st0 blocked >5` where it was not seen by then. */
function timesAfter(...rounds: Round[]): string[] {
  return (recordAfter(...rounds)?.times ?? []).map(
    ({ account, expect: what, seconds, notWithin }) => `${account.slice(3)} ${what} ${seconds ?? `>${notWithin}`}`,
  );
}

describe('what is kept of how long a change took', () => {
  it.each<[sentence: string, rounds: Round[], kept: string[]]>([
    [
      'is the first sight of it, account by account',
      [
        [1, revoked(0), ['open', 'open']],
        [6, revoked(0), ['blocked', 'open']],
        [16, revoked(0), ['blocked', 'blocked']],
      ],
      ['st0 blocked 6', 'st1 blocked 16'],
    ],
    ['is the first look, where that saw it', [[1, revoked(0), ['blocked']]], ['st0 blocked 1']],
    [
      'is counted where it was never seen, with how long that was followed',
      [
        [1, revoked(0), ['open']],
        [1_800, revoked(0), ['open']],
      ],
      ['st0 blocked >1800'],
    ],
    [
      'is nothing where nothing was told',
      [
        [1, revoked(0), ['unknown']],
        [1_800, revoked(0), ['unknown']],
      ],
      [],
    ],
    [
      'ends with the last look that told something',
      [
        [5, revoked(0), ['open']],
        [1_800, revoked(0), ['unknown']],
      ],
      ['st0 blocked >5'],
    ],
    [
      'is not made longer by a look in between that told nothing',
      [
        [5, revoked(0), ['blocked']],
        [65, revoked(0), ['unknown']],
        [125, revoked(0), ['blocked']],
      ],
      ['st0 blocked 5'],
    ],
    [
      'begins anew when what was seen is gone again',
      [
        [2, revoked(0), ['blocked']],
        [7, revoked(0), ['open']],
        [17, revoked(0), ['blocked']],
      ],
      ['st0 blocked 17'],
    ],
    [
      'keeps earlier changes, those that were taken back before they showed too',
      [
        [5, revoked(0), ['blocked', 'open']],
        [63, restored(60), ['open', 'open']],
        [605, revoked(600), ['blocked', 'blocked']],
      ],
      // The second one had been open all the time: its restore took no time that could be told.
      ['st0 blocked 5', 'st1 blocked >5', 'st0 open 3', 'st0 blocked 5', 'st1 blocked 5'],
    ],
    [
      'is none of a change that found it so',
      [
        [5, revoked(0), ['blocked']],
        [90_001, revoked(90_000), ['blocked']],
        [90_060, revoked(90_000), ['blocked']],
      ],
      ['st0 blocked 5'],
    ],
    [
      'is not known where an account begins to refuse for a reason of its own',
      [
        [1, revoked(0), ['open']],
        [6, revoked(0), ['blocked'], 'KeyVaultAccessTokenCannotBeAcquired'],
      ],
      ['st0 blocked >1'],
    ],
    [
      'is none where an account refuses for a reason of its own',
      [
        [1, revoked(0), ['blocked'], 'KeyVaultAccessTokenCannotBeAcquired'],
        [6, revoked(0), ['blocked'], 'KeyVaultAccessTokenCannotBeAcquired'],
      ],
      [],
    ],
    ['is none by a clock that is behind', [[-30, revoked(0), ['blocked']]], []],
    [
      'is the same when a round runs twice',
      [
        [6, revoked(0), ['blocked']],
        [6, revoked(0), ['blocked']],
      ],
      ['st0 blocked 6'],
    ],
  ])('%s', (_, rounds, kept) => {
    expect(timesAfter(...rounds)).toEqual(kept);
  });

  it('survives being written and read', () => {
    const record = recordAfter([100, revoked(0), ['open']], [130, revoked(120), ['blocked']]);
    expect(EFFECT.parse(record)).toEqual(record);
  });

  it('is begun by the record of a version that kept none', () => {
    const { times: _, ...older } = recordAfter([5, revoked(0), ['blocked']]) ?? {};
    const read = EFFECT.parse(older);
    expect(read).toEqual(older);
    const results = [
      { account: '/a/st0', service: 'file', share: 's', state: 'open', checkedOn: new Date(at(64)) },
    ] as const;
    const next = recordRound(read, { key: KEY.id, change: restored(60), complete: true, results });
    expect(next.times).toEqual([{ account: '/a/st0', service: 'file', ...restored(60), seconds: 4 }]);
  });

  it('does not grow without end: the oldest go, and none of the change under way', () => {
    const states = (state: EffectState, accounts = 900) => Array<EffectState>(accounts).fill(state);
    const rounds: Round[] = [
      [5, revoked(0), states('blocked')],
      [605, restored(600), states('open')],
      [1_205, revoked(1_200), states('blocked')],
    ];
    const counts = (...more: Round[]) => {
      const times = recordAfter(...rounds, ...more)?.times ?? [];
      return [0, 600, 1_200, 1_800].map((seconds) => times.filter(({ since }) => since === at(seconds)).length);
    };
    expect(counts()).toEqual([200, 900, 900, 0]);
    expect(counts([1_805, restored(1_800), states('open', 2_700)])).toEqual([0, 0, 0, 2_700]);
  });
});

describe('the figures', () => {
  const time = (n: number, what: EffectTime['expect'], seen: Partial<EffectTime>, since = at(0)): EffectTime => ({
    account: `/a/st${n}`,
    service: 'file',
    expect: what,
    since,
    ...seen,
  });

  it('are none of none', () => {
    expect(sumTimes([])).toEqual([]);
  });

  it('say how many they are from and since when, for each kind of change', () => {
    const times = [
      time(1, 'blocked', { seconds: 5 }),
      time(2, 'blocked', { seconds: 40, notWithin: 20 }),
      time(1, 'blocked', { seconds: 8 }, at(86_400)),
      time(1, 'open', { seconds: 3 }, at(600)),
    ];
    expect(sumTimes(times)).toEqual([
      {
        expect: 'blocked',
        service: 'file',
        measured: 3,
        notSeen: 0,
        accounts: 2,
        changes: 2,
        p50Seconds: 8,
        p95Seconds: 40,
        longestSeconds: 40,
        since: at(0),
        until: at(86_400),
      },
      {
        expect: 'open',
        service: 'file',
        measured: 1,
        notSeen: 0,
        accounts: 1,
        changes: 1,
        p50Seconds: 3,
        p95Seconds: 3,
        longestSeconds: 3,
        since: at(600),
        until: at(600),
      },
    ]);
  });

  it('count what was never seen, and claim no time that nobody has seen', () => {
    const times = [
      ...[1, 2, 3, 4].map((n) => time(n, 'blocked', { seconds: n })),
      time(5, 'blocked', { notWithin: 1_800 }),
      { ...time(5, 'blocked', { notWithin: 60 }, at(3_600)), account: '/A/ST5' },
    ];
    const [sum] = sumTimes(times);
    expect(sum).toMatchObject({
      measured: 4,
      notSeen: 2,
      accounts: 5,
      p50Seconds: 3,
      longestSeconds: 4,
      followedSeconds: 1_800,
    });
    expect(sum).not.toHaveProperty('p95Seconds');
    const [none] = sumTimes([time(1, 'blocked', { notWithin: 1_800 })]);
    expect(none).not.toHaveProperty('p50Seconds');
    expect(none).not.toHaveProperty('longestSeconds');
    expect(none).toMatchObject({ measured: 0, notSeen: 1 });
  });
});

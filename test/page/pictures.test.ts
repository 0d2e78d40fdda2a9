import { describe, expect, it } from 'vitest';
import type { FleetRow, KeyStatusResponse, KeySummary, RotationSummary, TrendDay } from '../../page/src/api/types.ts';
import { expiryRows } from '../../page/src/pictures/expiry.ts';
import { blocksOf, gridOf, hitOf } from '../../page/src/pictures/fleet-blocks.ts';
import { bandsToUses, bandsToVersions, flowOf } from '../../page/src/pictures/flow.ts';
import { rateWords, regionsOf } from '../../page/src/pictures/region-progress.ts';
import { distance, timeScale } from '../../page/src/pictures/time-scale.ts';
import { TREND_CHARTS, trendData, valueAxis } from '../../page/src/pictures/trend-series.ts';
import type { HealthState } from '../../src/status/health-states.ts';

const NOW = Date.parse('2026-11-27T12:00:00Z');
const DAY_MS = 86_400_000;
const inDays = (days: number): string => new Date(NOW + days * DAY_MS).toISOString();

describe('a time line', () => {
  it.each([
    ['hours', [NOW, NOW + 3_600_000], /^\d+ \w{3}$/],
    ['weeks', [NOW, NOW + 30 * DAY_MS], /^\d+ \w{3}$/],
    ['months', [NOW, NOW + 400 * DAY_MS], /^\w{3} \d{4}$/],
    ['years', [NOW, NOW + 4_000 * DAY_MS], /^\d{4}$/],
    ['a century', [NOW, NOW + 36_525 * DAY_MS], /^\d{4}$/],
  ] as const)('A time line of %s has one to six labels, and all times are on it', (_, times, label) => {
    const { ticks, place } = timeScale(times);
    expect(ticks.length).toBeGreaterThanOrEqual(1);
    expect(ticks.length).toBeLessThanOrEqual(6);
    for (const tick of ticks) expect(tick.label).toMatch(label);
    expect(place(times[0])).toBeCloseTo(3, 0);
    expect(place(times.at(-1) ?? 0)).toBeLessThan(97.1);
    expect(place(times[0] - 9e15)).toBe(0);
  });

  it('A time line has its labels at the beginnings of months', () => {
    const { ticks } = timeScale([Date.parse('2026-06-15'), Date.parse('2028-05-15')]);
    const days = ticks.map(({ at }) => new Date(at).toISOString().slice(0, 10));
    expect(days.join()).toBe('2026-07-01,2027-01-01,2027-07-01,2028-01-01');
  });

  it('A time line shows a distance in its largest unit', () => {
    const distances = [0.2, 12, 100, 1_000].map((days) => distance(-days * DAY_MS));
    expect(distances.join()).toBe('5 h,12 d,3 months,3 years');
  });
});

describe('the expiry of keys', () => {
  const key = (name: string, rest: Partial<KeySummary>): KeySummary => ({
    key: `https://kv.vault.azure.net/keys/${name}`,
    vault: 'kv',
    name,
    state: 'usable',
    unread: [],
    newest: { version: 'v', createdOn: inDays(-300), activeFrom: inDays(-300), state: 'Usable' },
    ...rest,
  });

  it('The picture of expiries shows overdue keys first and in red, and omits keys without a version', () => {
    const rows = expiryRows(
      [
        key('never', {}),
        key('later', { expiresOn: inDays(200), nextRotation: { by: 'app', on: inDays(170) } }),
        key('soon', { expiresOn: inDays(20) }),
        key('old', { cryptoPeriodEndsOn: inDays(-3) }),
        key('late', { expiresOn: inDays(25), nextRotation: { by: 'policy', on: inDays(-5) } }),
        key('missing', { newest: undefined }),
        key('unplanned', { nextRotation: { by: 'none', on: inDays(-9) } }),
      ],
      NOW,
    );

    expect(rows.map(({ name, tone, due }) => [name, tone, due && (due.at < NOW ? due.overdue : due.next)])).toEqual([
      ['late', 'bad', 'Rotation was due'],
      ['old', 'bad', 'Crypto-period ended'],
      ['soon', 'warn', 'Expires'],
      ['later', 'good', 'Rotates'],
      ['never', 'good', undefined],
      ['unplanned', 'good', undefined],
    ]);
  });
});

describe('a rotation by region', () => {
  const place = (region: string, rest: Partial<NonNullable<RotationSummary['places']>[number]>) => ({
    subscription: 's',
    region,
    moved: 0,
    waiting: 0,
    failed: 0,
    left: 0,
    movedLately: 0,
    ...rest,
  });

  it('The progress of a region is the sum of its subscriptions, and ends with the last of them', () => {
    const places = [
      place('westeurope', { moved: 40, waiting: 10, movedLately: 40, expectedEnd: inDays(0.1) }),
      place('westeurope', { subscription: 't', moved: 5, waiting: 50, movedLately: 5, expectedEnd: inDays(0.2) }),
      place('northeurope', { moved: 3, failed: 1 }),
      place('uksouth', { left: 4 }),
    ];

    expect(regionsOf({ places, startedOn: inDays(-1) }, NOW)).toEqual([
      {
        region: 'westeurope',
        subscriptions: 2,
        moved: 45,
        waiting: 60,
        failed: 0,
        perMinute: 9,
        expectedEnd: inDays(0.2),
      },
      {
        region: 'northeurope',
        subscriptions: 1,
        moved: 3,
        waiting: 0,
        failed: 1,
        perMinute: 0,
        expectedEnd: undefined,
      },
    ]);
  });

  it('The rate of a rotation younger than five minutes is that since its start', () => {
    const places = [place('westeurope', { moved: 300, waiting: 1, movedLately: 300 })];
    const startedOn = new Date(NOW - 30_000).toISOString();
    expect(regionsOf({ places, startedOn }, NOW)[0]?.perMinute).toBe(600);
    const rates = [600, 20.4, 0.4, 0].map(rateWords);
    expect(rates.join()).toBe('10.0 a second,20 a minute,under 1 a minute,none in 5 min');
  });
});

describe('the flow of a key', () => {
  const version = (name: string, state: KeyStatusResponse['versions'][number]['state'] = 'Usable') =>
    ({ version: name, state }) as KeyStatusResponse['versions'][number];
  const flow = (used: readonly [string, number, string[]][], newestUsable = 'new') =>
    flowOf({
      versions: [version('new'), version('old'), version('off', 'Disabled'), version('idle')],
      newestUsable,
      users: {
        accounts: used.reduce((sum, [, accounts]) => sum + accounts, 0),
        scopes: 0,
        versions: used.map(([name, accounts, first]) => ({ version: name, accounts, scopes: 0, first })),
        complete: true,
      },
    } as unknown as KeyStatusResponse);

  it('The flow of a key lists the newest version first, and names some accounts of each version', () => {
    const shown = flow([
      ['old', 90, ['a', 'b', 'c', 'd', 'e']],
      ['new', 2, ['f', 'g/scope']],
      ['off', 1, ['h']],
    ]);

    expect(shown.versions.map(({ version: of, tone, leaves }) => [of, tone, leaves.map(({ name }) => name)])).toEqual([
      ['new', 'good', ['f', 'g/scope']],
      ['old', 'warn', ['a', 'b', 'c', '87 more']],
      ['off', 'bad', ['h']],
    ]);

    expect(shown.versions[0]?.leaves[1]?.account).toBe('g');
    expect(shown.versions[1]?.words).toBe('older, 90 accounts');
    expect(shown.unused).toBe(1);

    expect(bandsToVersions(shown.versions).map(({ to, uses }) => [to, uses])).toEqual([
      [1, 2],
      [4, 90],
      [7, 1],
    ]);

    expect(shown.versions.flatMap((of) => bandsToUses(of).map(({ to, uses }) => [to, uses])).slice(2, 6)).toEqual([
      [0.5, 1],
      [1.5, 1],
      [2.5, 1],
      [3.5, 87],
    ]);
  });

  it('The flow of a key shows the newest version although nothing uses it yet', () => {
    const [first] = flow([['old', 1, ['a']]]).versions;
    expect([first?.version, first?.leaves[0]?.name]).toEqual(['new', 'nothing yet']);
  });
});

describe('the fleet in squares', () => {
  const row = (n: number, state: HealthState, cause?: string): FleetRow =>
    ({
      name: `st${n}`,
      health: { state, ...(cause ? { cause: { id: cause, reason: 'KeyDisabled', about: [], label: cause } } : {}) },
    }) as unknown as FleetRow;

  const many = (from: number, to: number, state: HealthState, cause?: string) =>
    Array.from({ length: to - from }, (_, n) => row(from + n, state, cause));

  it('The picture of the fleet shows the worst state first, then the cause of most accounts', () => {
    const blocks = blocksOf([
      ...many(0, 3, 'Serving'),
      ...many(3, 4, 'Blocked', 'x'),
      ...many(4, 6, 'Blocked', 'y'),
      ...many(6, 7, 'Revoked', 'z'),
    ]);

    expect(blocks.map(({ state, cause, rows }) => [state, cause, rows.length])).toEqual([
      ['Revoked', 'z', 1],
      ['Blocked', 'y', 2],
      ['Blocked', 'x', 1],
      ['Serving', undefined, 3],
    ]);
  });

  it('The picture of the fleet separates its largest causes, and joins the rest', () => {
    const blocks = blocksOf(Array.from({ length: 9 }, (_, n) => row(n, 'Blocked', `cause ${n}`)));
    expect(blocks.map(({ cause, rows }) => [cause, rows.length]).at(-1)).toEqual([undefined, 4]);
    expect(blocks).toHaveLength(6);
  });

  it.each([
    [14, 340, 1],
    [5_000, 1_300, 1],
    [20_000, 340, 7],
  ])('The picture of a fleet of %i accounts fits into %i pixels', (accounts, width, perSquare) => {
    const blocks = blocksOf([row(0, 'Revoked'), ...many(1, accounts, 'Serving')]);
    const grid = gridOf(blocks, width);
    expect(grid.perSquare).toBe(perSquare);
    expect(grid.columns * grid.cell).toBeLessThanOrEqual(width);
    expect(grid.height).toBeLessThanOrEqual(225);
    expect(grid.spans[0]).toEqual({ first: 0, squares: 1 });
    expect(grid.spans[1]?.squares).toBe(Math.ceil((accounts - 1) / perSquare));
  });

  it('The picture of the fleet finds the account at a point', () => {
    const blocks = blocksOf([...many(0, 2, 'Revoked', 'z'), ...many(2, 30, 'Serving')]);
    const grid = gridOf(blocks, 220);
    expect([grid.cell, grid.columns]).toEqual([22, 10]);
    expect(hitOf(grid, blocks, 30, 5)?.row?.name).toBe('st1');
    expect(hitOf(grid, blocks, 1, 23)?.row?.name).toBe('st10');
    expect(hitOf(grid, blocks, 219, 67)).toBeUndefined();
    expect(hitOf(grid, blocks, 500, 5)).toBeUndefined();
  });
});

describe('the trend', () => {
  const rotations = { finished: 2, p50Seconds: 0, p95Seconds: 70 };
  const days: readonly TrendDay[] = [
    { day: '2026-11-25' },
    { day: '2026-11-26', events: { rotations, revocations: 0, restores: 0, complete: true } },
  ];

  it('The trend has a gap for a day without data, and no zero on a logarithmic axis', () => {
    const [speed] = TREND_CHARTS;
    expect(speed && trendData(days, speed)).toEqual([
      [20_782, 20_783],
      [null, 1],
      [null, 70],
    ]);
    expect(speed?.figures.map(({ label }) => label)).toEqual(['p50', 'p95']);
    expect(speed?.promise?.value).toBe(60);
  });

  it('An axis of the trend has at most six labels, all whole numbers', () => {
    expect(valueAxis('count', 1)).toEqual({ end: 1, ticks: [0, 1] });
    expect(valueAxis('count', 47)).toEqual({ end: 60, ticks: [0, 20, 40, 60] });
    expect(valueAxis('seconds', 60)).toEqual({ end: 300, ticks: [1, 10, 60, 300] });
    for (const most of [3, 9, 123, 4_999, 1_234_567]) {
      const { end, ticks } = valueAxis('count', most);
      expect(end).toBeGreaterThanOrEqual(most);
      expect(ticks.length).toBeLessThanOrEqual(6);
    }
  });
});

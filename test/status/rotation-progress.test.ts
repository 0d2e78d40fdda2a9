import { describe, expect, it } from 'vitest';
import { REASONS } from '../../src/errors/reasons.ts';
import type { RolloutRow } from '../../src/index/rollout-row.ts';
import type { UseRow } from '../../src/index/use-row.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { formatRevocation, REVOCATION_TAG } from '../../src/revocation/revocation.ts';
import { RotationCount } from '../../src/status/rotation-progress.ts';
import { day, KEY, keyVersion, REVOKER, versionName } from '../support/keys.ts';
import { accountId, NOW, OLD, useRow } from './use-rows.ts';

const VERSIONS = [keyVersion(1), keyVersion(100)];
const TARGET = keyVersion(100).id;
const PAUSE = { id: 'p1', reason: 'a change window', by: { objectId: 'o' }, since: day(190).toISOString() };

interface Facts {
  readonly rollout?: Partial<RolloutRow>;
  readonly pause?: typeof PAUSE;
  readonly versions?: readonly KeyVersion[];
  /** Contested accounts. */
  readonly contested?: readonly string[];
}

function rotationOf(uses: readonly UseRow[], { rollout, pause, versions = VERSIONS, contested = [] }: Facts = {}) {
  const row: RolloutRow = {
    target: TARGET,
    stage: 'rest',
    canaries: [],
    proven: false,
    unfinished: 1,
    failed: 0,
    progressOn: day(151).toISOString(),
    checkedOn: NOW.toISOString(),
    ...rollout,
  };

  const [since, until] = [NOW, day(1_000)].map((date) => date.toISOString());
  const contests = contested.map((account) => ({
    id: account,
    account,
    since: since ?? '',
    until: until ?? '',
    by: {},
  }));

  const count = new RotationCount({ key: KEY, versions, rollout: rollout && row, pause, contests, now: NOW });
  for (const use of uses) count.add(use);

  return count.result();
}

const countsOf = (use: UseRow) => {
  const { moved = 0, waiting = 0, failed = 0, left = 0 } = rotationOf([use]);
  return { moved, waiting, failed, left };
};
describe('A use in a rotation', () => {
  it.each<[string, Partial<UseRow>, string]>([
    ['is moved once it is on the version', {}, 'moved'],
    ['waits while it is pending', OLD, 'waiting'],
    ['waits while its PATCH is indeterminate', { ...OLD, state: 'indeterminate' }, 'waiting'],
    ['failed when its last try did', { ...OLD, state: 'failed', reason: 'Refused' }, 'failed'],
    ['is left when the plan writes nothing for the version', { ...OLD, state: 'skipped', target: TARGET }, 'left'],
    ['waits when it was skipped for an earlier version', { ...OLD, state: 'skipped' }, 'waiting'],
  ])('A use in a rotation %s', (_, change, state) => {
    expect(countsOf(useRow(1, change))).toEqual({ moved: 0, waiting: 0, failed: 0, left: 0, [state]: 1 });
  });

  it('A failed use is listed with its reason and the time of the next attempt', () => {
    const failed = {
      ...OLD,
      state: 'failed',
      reason: 'ScopeLocked',
      attempts: 3,
      notBefore: day(201).toISOString(),
    } as const;

    expect(rotationOf([useRow(1, { ...failed, scope: 'scope1' })])).toMatchObject({
      failures: { ScopeLocked: 1 },
      failedUses: [
        {
          account: accountId(1),
          scope: 'scope1',
          reason: 'ScopeLocked',
          detail: REASONS.ScopeLocked,
          nextTryOn: day(201).toISOString(),
        },
      ],
    });
  });

  it('The waiting use that was not tried for longest is named with the reason of its plan', () => {
    const tried = useRow(1, { ...OLD, state: 'indeterminate', reason: 'ServiceUnavailable' });
    const { oldestWaiting } = rotationOf([tried, useRow(2, OLD)]);
    expect(oldestWaiting).toEqual({ account: accountId(2), reason: 'StaleKeyVersion' });
    expect(rotationOf([tried])).toMatchObject({ oldestWaiting: { reason: 'ServiceUnavailable' } });
  });

  it('A use that the drift check must not move waits while its key is paused', () => {
    const exempt = useRow(1, { ...OLD, state: 'skipped', target: TARGET, reason: 'LeftByCheck' });
    expect(rotationOf([exempt])).toMatchObject({ state: 'finished', left: 1 });
    expect(rotationOf([exempt], { pause: PAUSE })).toMatchObject({ state: 'paused', waiting: 1, left: 0 });
  });

  it('The uses of a rotation are all counted, and the failed ones listed up to 500', () => {
    const many = Array.from({ length: 1_100 }, (_, n) => n);
    expect(rotationOf(many.map((n) => useRow(n, OLD))).waiting).toBe(1_100);
    const failed = rotationOf(many.map((n) => useRow(n, { ...OLD, state: 'failed', reason: 'Refused' })));
    expect([failed.failed, failed.failedUses.length]).toEqual([1_100, 500]);
  });
});

describe('A rotation', () => {
  it('A rotation is finished when nothing waits and nothing failed', () => {
    expect(rotationOf([useRow(1), useRow(2, { ...OLD, state: 'skipped', target: TARGET })])).toMatchObject({
      state: 'finished',
      version: versionName(100),
      startedOn: day(100).toISOString(),
      moved: 1,
      left: 1,
    });
    expect(rotationOf([]).expectedEnd).toBeUndefined();
  });

  it('A rotation is stuck or held when the controller decided so for this version', () => {
    const stuck = { rollout: { lastNews: 'RotationStuck' } } as const;
    expect(rotationOf([useRow(1, OLD)])).toMatchObject({ state: 'underWay', progressOn: day(100).toISOString() });
    expect(rotationOf([useRow(1, OLD)], stuck)).toMatchObject({ state: 'stuck', progressOn: day(151).toISOString() });
    const before = { rollout: { lastNews: 'RotationStuck', target: keyVersion(1).id } } as const;
    expect(rotationOf([useRow(1, OLD)], before).state).toBe('underWay');
    expect(rotationOf([useRow(1)], stuck).state).toBe('finished');
  });

  it('A rotation shows the stage, and counts the uses that it admits', () => {
    const uses = [
      useRow(1, { ...OLD, state: 'failed', reason: 'Refused' }),
      useRow(2, OLD),
      useRow(3, { ...OLD, wave: '2' }),
    ];

    const canary = { rollout: { stage: 'canary', canaries: [accountId(1)], lastNews: 'CanaryFailed' } } as const;
    const held = rotationOf(uses, canary);

    expect(held).toMatchObject({
      state: 'held',
      reason: 'CanaryFailed',
      stage: { name: 'canary', state: 'failed' },
    });

    expect(held.detail).toContain('canary: 0 moved, 0 waiting, 1 failed.');

    const wave = rotationOf(uses, { rollout: { stage: 'wave 2', proven: true } });
    expect(wave).toMatchObject({
      state: 'underWay',
      stage: { name: 'wave 2', state: 'underWay' },
    });

    const failedWave = rotationOf(uses, { rollout: { stage: 'wave 2', lastNews: 'WaveFailed' } });
    expect(failedWave).toMatchObject({ state: 'held', reason: 'WaveFailed', stage: { state: 'failed' } });
    expect(rotationOf(uses, { rollout: {} }).stage).toBeUndefined();
  });

  it('A rotation is held by moved canaries that do not serve, and unproven until they are probed', () => {
    const uses = [useRow(1), useRow(2, OLD)];
    const canary = { stage: 'canary', canaries: [accountId(1)] } as const;
    expect(rotationOf(uses, { rollout: canary })).toMatchObject({ state: 'underWay', stage: { state: 'unproven' } });
    const held = rotationOf(uses, { rollout: { ...canary, failing: 'st1' } });
    expect(held).toMatchObject({
      state: 'held',
      detail: expect.stringContaining('Canaries that failed the probe: st1.'),
    });
  });

  it('A rotation is paused while a use waits, or no use is known', () => {
    const pause = PAUSE;
    const paused = { state: 'paused', reason: 'Paused', detail: 'a change window', pause };
    expect(rotationOf([useRow(1, OLD)], { pause })).toMatchObject(paused);
    expect(rotationOf([], { pause })).toMatchObject(paused);
    expect(rotationOf([useRow(1)], { pause })).toMatchObject({ state: 'finished', pause });
  });

  it('A rotation is held once all that is left is contested, and has no expected end', () => {
    const contested = [accountId(1)];
    const held = rotationOf([useRow(1, OLD), useRow(2)], { contested, rollout: { lastNews: 'RotationStuck' } });
    expect(held).toMatchObject({ state: 'held', reason: 'ContestedChange', waiting: 1, moved: 1 });
    expect(held.oldestWaiting).toEqual({ account: accountId(1), reason: 'ContestedChange' });
    expect(held.expectedEnd).toBeUndefined();
    expect(rotationOf([useRow(1, OLD), useRow(2, OLD)], { contested }).state).toBe('underWay');
  });

  it('A rotation is blocked with a reason while nothing may be moved', () => {
    const record = { ...REVOKER, revokedOn: day(150), version: versionName(1), wasEnabled: true };
    const revoked = keyVersion(1, { enabled: false, tags: { [REVOCATION_TAG]: formatRevocation(record) } });
    const blocked = (versions: readonly KeyVersion[]) => rotationOf([useRow(1)], { versions });
    expect(blocked([revoked])).toMatchObject({ state: 'blocked', reason: 'RevocationOpen', places: [] });
    expect(blocked([keyVersion(1, { enabled: false })])).toMatchObject({ reason: 'NoUsableVersion' });
    expect(blocked([])).toMatchObject({ reason: 'KeyNotFound' });
  });

  it('A rotation is counted by subscription and region, each with its expected end', () => {
    const uses = Array.from({ length: 1_300 }, (_, n) => useRow(n, OLD));
    const elsewhere = useRow(1, { ...OLD, location: 'northeurope', state: 'failed', reason: 'Refused' });
    const movedAt = (minutes: number) => ({ stamp: new Date(NOW.getTime() - minutes * 60_000).toISOString() });
    const moved = [useRow(2_000, movedAt(4)), useRow(2_001, movedAt(6)), useRow(2_002)];
    const { places, expectedEnd } = rotationOf([...uses, elsewhere, ...moved]);

    // 960 at once by the hour's budget, and one each 3.75 seconds from then on.
    const end = new Date(NOW.getTime() + 340 * 3_750).toISOString();

    expect(expectedEnd).toBe(end);
    expect(places).toEqual([
      expect.objectContaining({ region: 'northeurope', failed: 1, waiting: 0 }),
      expect.objectContaining({ region: 'westeurope', waiting: 1_300, moved: 3, movedLately: 1, expectedEnd: end }),
    ]);
    expect(places[0]?.expectedEnd).toBeUndefined();
  });
});

describe('The cost of the next rotation', () => {
  const costOf = (uses: readonly UseRow[]) => {
    const rest = { rollout: undefined, pause: undefined, contests: [], now: NOW };
    const count = new RotationCount({ ...rest, key: KEY, versions: [] });
    for (const use of uses) count.add(use);
    return count.cost();
  };

  it('The cost of the next rotation is the time of the writes in the slowest region, whatever was moved or failed before', () => {
    const failed = { ...OLD, state: 'failed', reason: 'Refused', location: 'northeurope' } as const;
    const uses = [
      ...Array.from({ length: 1_500 }, (_, n) => useRow(n)),
      ...Array.from({ length: 5 }, (_, n) => useRow(2_000 + n, failed)),
      useRow(3_000, { location: 'uksouth' }),
    ];
    expect(costOf(uses)).toEqual({ moves: 1_506, seconds: 2_025 });
  });
});

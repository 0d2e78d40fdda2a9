import { describe, expect, it } from 'vitest';
import type { FleetOutcome, FleetUse } from '../../src/fleet/fleet-index.ts';
import { judgeUse, type RotationGoal, rotationGoal } from '../../src/rollout/judge-use.ts';
import { ProgressCount } from '../../src/rollout/progress.ts';
import { day, keyVersion, versionName } from '../support/keys.ts';
import { fleetUse, NOW } from './rollout-fixture.ts';

const goal = (change: Partial<RotationGoal> = {}): RotationGoal => {
  const made = rotationGoal([keyVersion(1), keyVersion(100)], NOW, { refreshAutomatic: true });
  if (!made) throw new Error('There is a usable version.');
  return { ...made, ...change };
};
const outcome = (result: FleetOutcome['result'], reason: FleetOutcome['reason'], at = day(150)): FleetOutcome => ({
  result,
  reason,
  at: at.toISOString(),
});
const old = { pinned: versionName(1), current: versionName(1) };

describe('a use of a key in a rotation', () => {
  it.each<[string, Partial<FleetUse>, string, string]>([
    ['on the newest version is moved', {}, 'moved', 'UpToDate'],
    ['on an older one waits', old, 'waiting', 'StaleKeyVersion'],
    [
      'whose failure is older than the rotation waits',
      { ...old, outcome: outcome('reject', 'Refused', day(50)) },
      'waiting',
      'StaleKeyVersion',
    ],
    [
      'whose failure is still to come waits',
      { ...old, outcome: outcome('reject', 'Refused', day(300)) },
      'waiting',
      'StaleKeyVersion',
    ],
    [
      'that was read when moves were paused waits',
      { ...old, outcome: outcome('retry', 'Paused') },
      'waiting',
      'Paused',
    ],
    [
      'that is automatic and was in order in the second in which the version was made waits',
      { mode: 'automatic', current: versionName(1), outcome: outcome('done', 'UpToDate') },
      'waiting',
      'LaggingAutomaticVersion',
    ],
    ['that Azure throttles waits', { ...old, outcome: outcome('retry', 'Throttled') }, 'waiting', 'Throttled'],
    [
      'that lacks its role failed, although it is tried again',
      { ...old, outcome: outcome('retry', 'IdentityHasNoAccess') },
      'failed',
      'IdentityHasNoAccess',
    ],
    [
      'that is revoked by itself is left alone',
      { ...old, outcome: outcome('done', 'AccountRevocationOpen') },
      'left',
      'AccountRevocationOpen',
    ],
    ['that was given up failed', { ...old, outcome: outcome('reject', 'Refused') }, 'failed', 'Refused'],
    [
      'that the last look found in order, and is not, waits',
      { ...old, outcome: outcome('done', 'UpToDate') },
      'waiting',
      'StaleKeyVersion',
    ],
    [
      'that is automatic and was asked to look is left to Storage',
      { mode: 'automatic', current: versionName(1), outcome: outcome('done', 'LaggingAutomaticVersion') },
      'left',
      'LaggingAutomaticVersion',
    ],
    [
      'that is automatic and was not asked yet waits',
      { mode: 'automatic', current: versionName(1) },
      'waiting',
      'LaggingAutomaticVersion',
    ],
  ])('%s', (_, change, state, reason) => {
    expect(judgeUse(fleetUse(1, change), goal())).toEqual({ state, reason });
  });

  it('is left alone where automatic accounts are not refreshed, or nothing may be moved', () => {
    const automatic = fleetUse(1, { mode: 'automatic', current: versionName(1) });
    expect(judgeUse(automatic, goal({ refreshAutomatic: false })).state).toBe('left');
    const newer = fleetUse(1, { pinned: versionName(150), current: versionName(150) });
    const versions = [keyVersion(1), keyVersion(100), keyVersion(150, { enabled: false })];
    expect(judgeUse(newer, goal({ versions }))).toEqual({ state: 'left', reason: 'NeverBackwards' });
  });
});

describe('the goal of a rotation', () => {
  it('is the newest usable version, since it can be used', () => {
    const soon = keyVersion(100, { notBefore: day(120) });
    expect(rotationGoal([keyVersion(1), soon], NOW, { refreshAutomatic: true })).toMatchObject({ startedOn: day(120) });
    const long = keyVersion(100, { notBefore: day(20) });
    expect(rotationGoal([keyVersion(1), long], NOW, { refreshAutomatic: true })).toMatchObject({ startedOn: day(100) });
    expect(rotationGoal([keyVersion(1, { enabled: false })], NOW, { refreshAutomatic: true })).toBeUndefined();
  });
});

describe('the progress of a rotation', () => {
  const WRITES = [
    { calls: 10, perMs: 1_000, burst: 4 },
    { calls: 1_200, perMs: 3_600_000, burst: 1_200 },
  ];
  const count = (uses: readonly FleetUse[], now = NOW, releasedOn?: Date) => {
    const progress = new ProgressCount(goal({ now }), WRITES, releasedOn);
    for (const use of uses) progress.add(use);
    return progress.result();
  };

  it('is finished when nothing waits and nothing failed', () => {
    expect(count([])).toMatchObject({ state: 'finished', moved: 0, places: [] });
    const left = fleetUse(2, {
      mode: 'automatic',
      current: versionName(1),
      outcome: outcome('done', 'LaggingAutomaticVersion'),
    });
    expect(count([fleetUse(1), left])).toMatchObject({ state: 'finished', moved: 1, left: 1 });
    expect(count([fleetUse(1)])).not.toHaveProperty('expectedEnd');
  });

  it('counts by subscription and region, and by reason, and tells when each should end', () => {
    const uses = Array.from({ length: 1_300 }, (_, n) => fleetUse(n, old));
    const elsewhere = fleetUse(1, { ...old, location: 'northeurope', outcome: outcome('reject', 'Refused') });
    const { places, expectedEnd, failures, waiting, failed, waitingUses } = count([...uses, elsewhere]);
    expect({ waiting, failed, failures }).toEqual({ waiting: 1_300, failed: 1, failures: { Refused: 1 } });
    // 1,200 at once by the hour's budget, and one each three seconds from then on.
    const end = new Date(NOW.getTime() + 300_000).toISOString();
    expect(expectedEnd).toBe(end);
    expect(places).toEqual([
      expect.objectContaining({ region: 'northeurope', failed: 1, waiting: 0 }),
      expect.objectContaining({ region: 'westeurope', waiting: 1_300, expectedEnd: end }),
    ]);
    expect(places[0]).not.toHaveProperty('expectedEnd');
    expect(waitingUses).toHaveLength(500);
  });

  it('takes what nobody can have written as it is', () => {
    const rubbish = fleetUse(1, { key: 'rubbish', account: 'rubbish' });
    const late = fleetUse(2, { outcome: outcome('retry', 'AuditFailed') });
    const { moved, places } = count([
      fleetUse(1, { location: 'uksouth' }),
      late,
      rubbish,
      fleetUse(3, { location: 'eastus' }),
    ]);
    expect(moved).toBe(4);
    expect(places.map(({ region }) => region)).toEqual(['westeurope', 'eastus', 'uksouth', 'westeurope']);
  });

  it('names no more than 500 of those that failed', () => {
    const failed = { ...old, outcome: outcome('reject', 'Refused') };
    const { failedUses, failures } = count(Array.from({ length: 501 }, (_, n) => fleetUse(n, failed)));
    expect([failedUses.length, failures]).toEqual([500, { Refused: 501 }]);
    expect(failedUses[0]).not.toHaveProperty('detail');
  });

  it('tells what Azure said of one that failed', () => {
    const failed = { ...outcome('retry', 'ScopeLocked'), detail: 'A lock forbids the change.' };
    expect(count([fleetUse(1, { ...old, outcome: failed })]).failedUses).toMatchObject([
      { reason: 'ScopeLocked', detail: 'A lock forbids the change.' },
    ]);
  });

  it('names those first that nobody has looked at', () => {
    const looked = fleetUse(1, { ...old, outcome: outcome('retry', 'Throttled') });
    const toCome = fleetUse(2, { ...old, outcome: outcome('retry', 'Throttled', day(300)) });
    const { waitingUses } = count([looked, toCome, fleetUse(3, { ...old, scope: 'scope1' })]);
    expect(waitingUses.map(({ account, scope, lookedOn }) => [account.split('/').at(-1), scope, lookedOn])).toEqual([
      ['st2', undefined, undefined],
      ['st3', 'scope1', undefined],
      ['st1', undefined, day(150).toISOString()],
    ]);
  });

  it('is stuck when nothing has moved for a quarter of an hour, unless it stood still on purpose', () => {
    const at = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000);
    const moved = (minutes: number) => fleetUse(1, { outcome: outcome('done', 'Moved', at(minutes)) });
    const waits = fleetUse(2, old);
    expect(count([waits]).state).toBe('stuck');
    expect(count([waits, moved(14)])).toMatchObject({ state: 'underWay', progressOn: at(14).toISOString() });
    expect(count([waits, moved(16)]).state).toBe('stuck');
    // By a clock that was wrong: a time that is still to come is no progress, beyond what clocks differ by.
    expect(count([waits, moved(16), moved(-6)])).toMatchObject({ state: 'stuck', progressOn: at(16).toISOString() });
    expect(count([waits, moved(-4)]).state).toBe('underWay');
    expect(count([waits, moved(16)], NOW, at(3)).state).toBe('underWay');
    expect(count([moved(16)]).state).toBe('finished');
  });
});

import { describe, expect, it } from 'vitest';
import type { KeyMode } from '../../local/azure/fleet.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { unwellOf } from '../../src/fleet/rotation-notes.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const HOUR_MS = 3_600_000;

interface Exempted {
  readonly mode: KeyMode;
  readonly code: string;
}

/**
 * Two accounts that nobody has moved onto a version of two hours ago, and before them those that are exempt; and what a
 * check then put to work of their key.
 *
 * @param failed whether a canary is on the version, and does not serve
 */
async function checked(env: Readonly<Record<string, string>>, exempted: readonly Exempted[] = [], failed = false) {
  const { world, clock } = wire.azure;
  const key = new TestKey(world);
  const exempt = exempted.map(({ mode, code }) => ({ account: key.account(mode), code }));
  const accounts = [...exempt.map(({ account }) => account), key.account('pinned'), key.account('pinned')];
  const version = key.add();
  const { created } = version;
  if (failed) key.account('pinned', { key: key.use('pinned', version), tags: { 'cmk-wave': '1' } });
  clock.advance(2 * HOUR_MS);
  const exemptions = exempt.map(({ account: { id }, code }) => ({
    ...{ resource: id, code, reason: 'CHG-1', until: '2099-01-01' },
  }));
  const services = wire.services({ CMK_EXEMPTIONS: JSON.stringify(exemptions), ...env });
  if (failed) {
    await services.rotationNotes.put({ key: key.id(), unwell: unwellOf(version.version, 'st1 (refuses)') });
  }
  const report = await runDriftCheck({ id: `check-${created}`, by: 'timer' }, services, wire.log);
  const stuck = report.findings.filter(({ resource }) => resource === key.id()).map(({ reason }) => reason);
  expect(stuck).toContain('RotationStuck');
  const sent = wire.sent.flatMap(({ work, delaySeconds }) =>
    'key' in work && work.key === key.id() ? { work, delaySeconds } : [],
  );
  return {
    moved: sent
      .flatMap(({ work }) => (work.kind === 'account' ? accounts.findIndex(({ id }) => id === work.account) : []))
      .sort(),
    looks: sent.flatMap(({ work, delaySeconds }) =>
      work.kind === 'rotation' ? { movesAll: !work.onlyLooks, delaySeconds } : [],
    ),
  };
}

const STALE = { mode: 'pinned', code: 'StaleKeyVersion' } as const;

describe('a rotation that is stuck', () => {
  it('is put to work by the check as a whole, where it may fix all that waits', async () => {
    expect(await checked({})).toEqual({ moved: [0, 1], looks: [{ movesAll: true, delaySeconds: 0 }] });
  });

  it('is told, and not touched, where the check is to fix nothing', async () => {
    expect(await checked({ CMK_AUTOFIX: 'none' })).toEqual({ moved: [], looks: [] });
  });

  it('is told, and not touched, where nothing that waits may be fixed', async () => {
    const env = { CMK_AUTOFIX: 'ScopeStaleKeyVersion' };
    expect(await checked(env, [STALE])).toEqual({ moved: [], looks: [] });
  });

  it.each([
    ['a pinned account', STALE],
    ['an automatic account, of which nothing is found yet', { mode: 'automatic', code: 'LaggingAutomaticVersion' }],
  ] as const)('is looked at once what may be fixed has had its time, where %s is exempt', async (_, exempt) => {
    expect(await checked({}, [exempt])).toEqual({ moved: [1, 2], looks: [{ movesAll: false, delaySeconds: 60 }] });
  });
});

describe('a rotation that is held, as a canary does not serve', () => {
  const canary = { CMK_CANARY: '1' };

  it('is looked at, so that it goes on once that serves', async () => {
    expect(await checked(canary, [], true)).toEqual({ moved: [], looks: [{ movesAll: true, delaySeconds: 0 }] });
  });

  it('does not go on by the check, where that is to fix nothing', async () => {
    expect(await checked({ ...canary, CMK_AUTOFIX: 'none' }, [], true)).toEqual({ moved: [], looks: [] });
  });

  it('has no canary that is exempt: the others go on', async () => {
    const { moved, looks } = await checked(canary, [STALE]);
    // Whichever of the two has the name that comes first.
    expect([[1], [2]]).toContainEqual(moved);
    expect(looks).toEqual([{ movesAll: false, delaySeconds: 60 }]);
  });

  it('goes on without what is exempt', async () => {
    expect(await checked(canary, [STALE], true)).toEqual({ moved: [], looks: [{ movesAll: false, delaySeconds: 60 }] });
  });
});

import { describe, expect, it } from 'vitest';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const HOUR_MS = 3_600_000;

/** Two accounts that nobody has moved onto a version of two hours ago; and what a check then put to work of their key. */
async function checked(env: Readonly<Record<string, string>>, exempted = 0) {
  const { world, clock } = wire.azure;
  const key = new TestKey(world);
  const accounts = [key.account('pinned'), key.account('pinned')];
  const { created } = key.add();
  clock.advance(2 * HOUR_MS);
  const exemptions = accounts
    .slice(0, exempted)
    .map(({ id }) => ({ resource: id, code: 'StaleKeyVersion', reason: 'CHG-1', until: '2099-01-01' }));
  const services = wire.services({ CMK_EXEMPTIONS: JSON.stringify(exemptions), ...env });
  const report = await runDriftCheck({ id: `check-${created}`, by: 'timer' }, services, wire.log);
  const stuck = report.findings.filter(({ resource }) => resource === key.id()).map(({ reason }) => reason);
  expect(stuck).toContain('RotationStuck');
  const sent = wire.sent.flatMap(({ work, delaySeconds }) =>
    'key' in work && work.key === key.id() ? { work, delaySeconds } : [],
  );
  return {
    moved: sent.flatMap(({ work }) =>
      work.kind === 'account' ? accounts.findIndex(({ id }) => id === work.account) : [],
    ),
    looks: sent.flatMap(({ work, delaySeconds }) =>
      work.kind === 'rotation' ? { movesAll: !work.lookedAgain, delaySeconds } : [],
    ),
  };
}

describe('a rotation that is stuck', () => {
  it('is put to work by the check as a whole, where it may fix all that waits', async () => {
    expect(await checked({})).toEqual({ moved: [0, 1], looks: [{ movesAll: true, delaySeconds: 0 }] });
  });

  it('is told, and not touched, where the check is to fix nothing', async () => {
    expect(await checked({ CMK_AUTOFIX: 'none' })).toEqual({ moved: [], looks: [] });
  });

  it('is told, and not touched, where all that waits is exempt', async () => {
    expect(await checked({}, 2)).toEqual({ moved: [], looks: [] });
  });

  it('is looked at once what may be fixed has had its time, where something else is not to be touched', async () => {
    expect(await checked({}, 1)).toEqual({ moved: [1], looks: [{ movesAll: false, delaySeconds: 60 }] });
  });
});

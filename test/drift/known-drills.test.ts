import { describe, expect, it } from 'vitest';
import { findLastDrills, parseDrillRecord } from '../../src/drift/gather/known-drills.ts';
import type { KnownDrill } from '../../src/drift/report/report.ts';
import { DAYS, KEY, NOW } from './checks/subjects.ts';

const on = (daysAgo: number) => new Date(NOW.getTime() - daysAgo * DAYS).toISOString();
const STEPS = [
  { step: 'rotate', passed: true, detail: 'stdrill01 uses it' },
  { step: 'revoke', passed: false, detail: 'DrillUnproven: x'.padEnd(900, 'x') },
];

function drill(reason: string, daysAgo: number): KnownDrill {
  const details = { endedOn: on(daysAgo), steps: reason === 'DrillPassed' ? [] : STEPS };
  const found = parseDrillRecord({ action: 'drill.run', reason, resource: KEY.id.toUpperCase(), details });
  if (!found) throw new Error('The record is no drill.');
  return found;
}

describe('the record of a drill', () => {
  it('The record of a failed drill has the failed step, shortened, and no other record is a drill', () => {
    const { failure, ...failed } = drill('DrillFailed', 1);
    expect(failed).toEqual({ key: KEY.id, on: on(1), passed: false });
    expect(failure).toMatch(/^revoke: DrillUnproven/);
    expect(failure).toHaveLength(500);

    const entry = { action: 'key.rotate', reason: 'Rotated', resource: KEY.id, details: {} };
    expect(parseDrillRecord(entry)).toBeUndefined();
    expect(parseDrillRecord({ ...entry, action: 'drill.run', reason: 'DrillPassed' })).toBeUndefined();
  });

  it('A failed drill without a step says that none is recorded', () => {
    const details = { endedOn: on(1), steps: [] };
    const found = parseDrillRecord({ action: 'drill.run', reason: 'DrillFailed', resource: KEY.id, details });
    expect(found?.failure).toBe('no step is recorded');
  });
});

describe('the last drill of a key', () => {
  it('The last drill of a key is the newest in any order, with the time of the last that passed', () => {
    const passed = drill('DrillPassed', 2);
    const failed = drill('DrillFailed', 1);
    const older = drill('DrillPassed', 3);
    const expected = [{ ...failed, passedOn: on(2) }];

    expect(findLastDrills([], [older, failed, passed])).toEqual(expected);
    expect(findLastDrills([passed], [failed, older])).toEqual(expected);
    expect(findLastDrills(expected, [])).toEqual(expected);
    expect(findLastDrills(expected, [drill('DrillPassed', 0)])).toEqual([drill('DrillPassed', 0)]);
  });

  it('Drills of two keys are two, and a drill that never passed has no time', () => {
    const other = { ...drill('DrillFailed', 1), key: `${KEY.id}2` };
    expect(findLastDrills([drill('DrillPassed', 2)], [other])).toEqual([drill('DrillPassed', 2), other]);
  });
});

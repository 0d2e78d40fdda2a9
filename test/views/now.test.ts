import { expect, it } from 'vitest';
import type { DriftReport } from '../../src/drift/report.ts';
import { seeParts } from '../../src/views/now.ts';
import type { TakeReadings } from '../../src/views/read-now.ts';

const STARTED = Date.parse('2026-11-25T06:00:00.000Z');
const DAY_MS = 86_400_000;
const report = {
  id: 'a',
  startedOn: new Date(STARTED).toISOString(),
  complete: true,
  counts: {},
  causes: [],
  changes: [],
} as unknown as DriftReport;

/** The drift part, so many milliseconds after the check began, and the step of its age. */
async function seenAfter(ms: number, ageMs = 0) {
  const now = new Date(STARTED + ms);
  const reading = async () => ({ reading: true }) as const;
  const take: TakeReadings = {
    fleet: reading,
    keys: reading,
    pauses: reading,
    rotations: reading,
    drift: async () => ({ value: report, readOn: now, ageMs }),
  };
  const everything = { reaches: () => true, reachesVault: () => true, maySee: () => true, requireFleet: () => {} };
  const { drift, steps } = await seeParts(take, { ...everything, now, correlationId: 'c', onUnexpected: () => {} });
  return { old: drift.value?.report?.old, step: steps.at(-1) };
}

it('A report becomes old after two days', async () => {
  expect((await seenAfter(2 * DAY_MS)).old).toBeUndefined();
  expect((await seenAfter(2 * DAY_MS + 1)).old).toBe(true);
});

it('An unchanged part is sent again as it ages', async () => {
  expect((await seenAfter(DAY_MS, 29_999)).step).toBe(0);
  expect((await seenAfter(DAY_MS, 30_000)).step).toBe(1);
});

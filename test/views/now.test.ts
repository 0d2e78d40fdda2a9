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

/** The drift part, so many milliseconds after the check began, and its tag. */
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
  const { drift } = await seeParts(take, { ...everything, now, correlationId: 'c', onUnexpected: () => {} });
  return { old: drift.part.value?.report?.old, tag: drift.tag };
}

it('A report becomes old after two days, and is sent again to a caller who has it', async () => {
  const young = await seenAfter(2 * DAY_MS);
  const old = await seenAfter(2 * DAY_MS + 1);
  expect(young.old).toBeUndefined();
  expect(old.old).toBe(true);
  expect(old.tag).not.toBe(young.tag);
  expect((await seenAfter(DAY_MS)).tag).toBe(young.tag);
});

it('An unchanged part is sent again as it ages', async () => {
  const fresh = await seenAfter(DAY_MS);
  expect((await seenAfter(DAY_MS, 29_999)).tag).toBe(fresh.tag);
  expect((await seenAfter(DAY_MS, 30_000)).tag).not.toBe(fresh.tag);
});

import { expect, it } from 'vitest';
import type { DriftReport } from '../../src/drift/report/report.ts';
import { FleetSnapshots } from '../../src/status/fleet-snapshots.ts';
import type { KeyLister } from '../../src/status/key-list.ts';
import { readVisibleParts } from '../../src/status/now.ts';
import { createNowBoard, type NowPorts, type TakeReadings } from '../../src/status/read-now.ts';

const STARTED = Date.parse('2026-11-25T06:00:00.000Z');
const HOUR_MS = 3_600_000;
const started = new Date(STARTED).toISOString();
const report = { id: 'a', startedOn: started, complete: true, counts: {}, causes: [], changes: [] };

/** The drift part, so many milliseconds after the check began, and the step of its age. */
async function seenAfter(ms: number, ageMs = 0) {
  const now = new Date(STARTED + ms);
  const reading = async () => ({ reading: true }) as const;
  const drift = async () => ({ value: report as unknown as DriftReport, readOn: now, ageMs });
  const take: TakeReadings = { fleet: reading, keys: reading, pauses: reading, rotations: reading, drift };
  const everything = { reaches: () => true, reachesVault: () => true, maySee: () => true, requireFleet: () => {} };
  const seen = await readVisibleParts(take, { ...everything, now, correlationId: 'c', onUnexpected: () => {} });
  return { old: seen.drift.value?.report?.old, step: seen.steps.at(-1) };
}

it('A report becomes old after two hours, although a check is due each hour', async () => {
  expect((await seenAfter(2 * HOUR_MS)).old).toBeUndefined();
  expect((await seenAfter(2 * HOUR_MS + 1)).old).toBe(true);
});

it('An unchanged part is sent again as it ages', async () => {
  expect((await seenAfter(HOUR_MS, 29_999)).step).toBe(0);
  expect((await seenAfter(HOUR_MS, 30_000)).step).toBe(1);
});

it('The keys are the unusual ones, and incomplete when some were not read in time', async () => {
  const key = (name: string, state: string, reason?: string) => ({
    key: name,
    vault: 'kv',
    name,
    state,
    unread: reason ? [{ what: 'the versions of the key', reason, detail: '' }] : [],
  });

  const keysOf = async (...value: ReturnType<typeof key>[]) => {
    const lister = { list: async () => ({ value, vaults: [] }) } as unknown as KeyLister;
    const ports = { settings: { vaults: { all: [] } }, now: () => new Date() } as unknown as NowPorts;
    const taken = await createNowBoard(new FleetSnapshots(), lister).takers(ports).keys();
    return 'value' in taken ? [taken.value.keys.map(({ name }) => name), taken.value.complete] : taken;
  };

  const forbidden = key('forbidden', 'unknown', 'MissingPermission');
  expect(await keysOf(key('usual', 'usable', 'TimeUp'), forbidden)).toEqual([['forbidden'], true]);
  expect(await keysOf(key('late', 'unknown', 'TimeUp'), forbidden)).toEqual([['forbidden'], false]);
});

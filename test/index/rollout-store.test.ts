import { beforeEach, describe, expect, it } from 'vitest';
import { createRolloutStore, type RolloutRow, type RolloutStore } from '../../src/index/rollout-row.ts';
import { MemoryRollouts } from '../simulation/memory-rollouts.ts';
import { MemoryFleetTable } from '../support/memory-fleet-table.ts';

const NOON = '2026-06-01T12:00:00.000Z';
const ROW: RolloutRow = {
  target: undefined,
  stage: 'wave 2',
  canaries: ['/subscriptions/s/st1'],
  proven: true,
  unfinished: 3,
  failed: 1,
  progressOn: NOON,
  checkedOn: NOON,
  activation: NOON,
  lastNews: 'WaveFailed',
  failing: 'st1 (blocked)',
};
let names = 0;
let name = '';
beforeEach(() => {
  names += 1;
  name = `https://kv-files.vault.azure.net/keys/key-${names}`;
});

// The same promises of the table and of what stands for it in the simulation.
describe.each<[string, () => RolloutStore]>([
  ['in a table', () => createRolloutStore(new MemoryFleetTable().port())],
  ['in memory', () => new MemoryRollouts().port(async (_, effect) => effect())],
])('rollout rows %s', (_, make) => {
  it('Rollout rows are read as they were written, by name and all together', async () => {
    const store = make();
    expect(await store.read(name)).toBeUndefined();
    expect(await store.put(name, ROW, undefined)).toBe(true);
    expect((await store.read(name))?.row).toEqual(ROW);
    const all: string[] = [];
    for await (const stored of store.all()) all.push(stored.name);
    expect(all).toContain(name);
  });

  it.each<[string, Partial<RolloutRow>, boolean]>([
    ['whose canary failed', { stage: 'canary', lastNews: 'CanaryFailed' }, true],
    ['whose wave failed', { lastNews: 'WaveFailed' }, true],
    ['whose canary does not serve', { stage: 'canary', lastNews: undefined, failing: 'st1' }, true],
    ['that is stuck', { lastNews: 'RotationStuck' }, false],
    ['in which one account of a wave failed', { lastNews: undefined, failed: 1 }, false],
  ])('Rollout rows distinguish a rollout that a stage holds: one %s', async (_, more, isHeld) => {
    const store = make();
    const target = `${name}/1`;
    await store.put(name, { ...ROW, target, failing: undefined, ...more }, undefined);
    expect(await store.held(name)).toBe(isHeld ? target : undefined);
  });

  it('Rollout rows are not replaced when another instance has written since the read', async () => {
    const store = make();
    await store.put(name, ROW, undefined);
    const first = await store.read(name);
    expect(await store.put(name, { ...ROW, stage: 'rest' }, undefined)).toBe(false);
    expect(await store.put(name, { ...ROW, stage: 'rest' }, first?.etag)).toBe(true);
    expect(await store.put(name, ROW, first?.etag)).toBe(false);
    expect((await store.read(name))?.row.stage).toBe('rest');
  });
});

it('A rollout row that cannot be parsed is left out, and the next decision replaces it', async () => {
  const table = new MemoryFleetTable();
  const store = createRolloutStore(table.port());

  await store.put(name, ROW, undefined);

  const [stored] = table.rows('rotations');
  if (!stored) throw new Error('There is no row.');

  table.apply({ ...stored, properties: { row: '{' } });
  for await (const one of store.all()) throw new Error(`It is listed: ${one.name}`);

  const read = await store.read(name);
  expect(read?.row).toMatchObject({ target: undefined, stage: 'canary' });
  expect(await store.put(name, ROW, read?.etag)).toBe(true);
});

it('A rollout whose hundred canaries all fail is stored', async () => {
  const store = createRolloutStore(new MemoryFleetTable().port());

  const canaries = Array.from(
    { length: 100 },
    (_, n) =>
      `/subscriptions/${'s'.repeat(36)}/resourceGroups/${'g'.repeat(90)}/providers/Microsoft.Storage/storageAccounts/${String(n).padStart(24, 'a')}`,
  );

  const failing = canaries.map((id) => `${id.slice(-24)} (The file service refuses the request.)`).join(', ');
  expect(await store.put(name, { ...ROW, canaries, failing: failing.repeat(4) }, undefined)).toBe(true);

  const { row } = (await store.read(name)) ?? {};
  expect(row?.canaries).toEqual(canaries);
  expect(failing.startsWith(row?.failing?.slice(0, 1_000) ?? '')).toBe(true);
});

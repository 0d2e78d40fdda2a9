import { describe, expect, it } from 'vitest';
import { type Proof, RolloutCount } from '../../src/controller/decide-rollout.ts';
import type { RolloutRow } from '../../src/index/rollout-row.ts';
import type { UseRow } from '../../src/index/use-row.ts';
import { KEY, keyVersion, versionName } from '../support/keys.ts';

const NOW = new Date(Date.UTC(2026, 5, 1, 12));
const target = keyVersion(2);
const SUBSCRIPTIONS = ['a', 'b'].map((one) => `11111111-1111-4111-8111-11111111111${one}`);

/** @param is the version that it is on, or `failed` */
function use(name: string, is: 1 | 2 | 'failed', more: Partial<UseRow> & { in?: number } = {}): UseRow {
  const { in: n = 0, ...rest } = more;
  const version = versionName(is === 2 ? 2 : 1);

  return {
    key: KEY.id,
    account: `/subscriptions/${SUBSCRIPTIONS[n]}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/${name}`,
    location: 'westeurope',
    mode: 'pinned',
    pinned: version,
    current: version,
    readOn: NOW.toISOString(),
    at: NOW.toISOString(),
    attempts: is === 'failed' ? 1 : 0,
    state: is === 'failed' ? 'failed' : 'pending',
    ...rest,
  };
}

function decide(
  uses: readonly UseRow[],
  before?: Partial<RolloutRow>,
  rules: { canaries?: number; goOn?: true; proof?: Proof } = {},
) {
  const { canaries = 0, goOn, proof } = rules;
  const stored: RolloutRow = {
    target: target.id,
    stage: 'canary',
    canaries: [],
    proven: false,
    unfinished: uses.length,
    failed: 0,
    progressOn: NOW.toISOString(),
    checkedOn: NOW.toISOString(),
    ...before,
  };

  const count = countTo({ canaries, isOrderedOn: goOn === true, before: before && stored });
  for (const one of uses) count.add(one);

  return count.decide(proof);
}

function countTo(rules: Partial<ConstructorParameters<typeof RolloutCount>[0]> = {}) {
  const defaults = { canaries: 0, isOrderedOn: false, isComparison: false, before: undefined };
  return new RolloutCount({ target, now: NOW, ...defaults, ...rules });
}

describe('A rollout', () => {
  it('A rollout begins with its canaries: those of the lowest wave first, then the pinned ones', () => {
    const uses = [use('st1', 1, { mode: 'automatic' }), use('st2', 1), use('st3', 1, { wave: '7', in: 1 })];
    const { row, subscriptions } = decide(uses, undefined, { canaries: 2 });
    expect(row.stage).toBe('canary');
    expect(row.canaries.map((id) => id.split('/').at(-1))).toEqual(['st3', 'st2']);
    expect([...subscriptions].sort()).toEqual(SUBSCRIPTIONS);
  });

  it('A rollout waits until its canaries are moved, and then until they serve', () => {
    const canaries = [use('st1', 1).account];
    const withCanary = (is: 1 | 2, more = {}) => decide([use('st1', is), use('st2', 1)], { canaries, ...more });
    expect(withCanary(1)).toMatchObject({ row: { stage: 'canary' }, needsProof: false });
    expect(withCanary(2)).toMatchObject({ row: { stage: 'canary' }, needsProof: true });
    expect(withCanary(2, { proven: true })).toMatchObject({ row: { stage: 'rest' } });
  });

  it('A rollout is held by a failed canary, and notifies once', () => {
    const canaries = [use('st1', 1).account];
    const uses = [use('st1', 'failed'), use('st2', 1)];
    expect(decide(uses, { canaries })).toMatchObject({
      row: { stage: 'canary', lastNews: 'CanaryFailed' },
      news: 'CanaryFailed',
    });
    expect(decide(uses, { canaries, lastNews: 'CanaryFailed' }).news).toBeUndefined();
  });

  it('A rollout continues with the next wave once one is done with at most one failure', () => {
    const wave = (n: number) => ({ wave: String(n) });
    const first = [use('st1', 2, wave(1)), use('st2', 'failed', wave(1))];
    const later = [use('st3', 1, wave(3)), use('st4', 1)];
    expect(decide([...first, ...later], { stage: 'wave 1' }).row.stage).toBe('wave 3');
    const failed = [use('st1', 'failed', wave(1)), use('st2', 'failed', wave(1))];
    expect(decide([...failed, ...later], { stage: 'wave 1' })).toMatchObject({
      row: { stage: 'wave 1' },
      news: 'WaveFailed',
    });
  });

  it('A rollout never narrows its stage for one target version, and begins again for another one', () => {
    const uses = [use('st1', 1, { wave: '1' }), use('st2', 1)];
    expect(decide(uses, { stage: 'rest' }).row.stage).toBe('rest');
    expect(decide(uses, { stage: 'rest', target: keyVersion(1).id }).row.stage).toBe('wave 1');
  });

  it('A rollout continues past any failure when an operator has ordered it', () => {
    const uses = [use('st1', 'failed'), use('st2', 1, { wave: '2' })];
    const { row } = decide(uses, { canaries: [use('st1', 1).account] }, { goOn: true });
    expect(row.stage).toBe('rest');
  });

  it('A rollout counts what a re-key order has moved, and an account with two waves in both waves', () => {
    const { account, location, mode } = use('st1', 1);
    const count = countTo();
    count.addMoved({ account, location, mode, scope: 'scope1', wave: '1' });
    count.add(use('st1', 1, { wave: '2' }));
    expect(count.decide()).toMatchObject({ row: { stage: 'wave 2' }, counts: { moved: 1, waiting: 1 } });
  });

  it('A rollout has each account once among its canaries, though its scope has another wave', () => {
    const uses = [use('st1', 1), use('st1', 1, { scope: 'scope1', wave: '2' }), use('st2', 1)];
    const { canaries } = decide(uses, undefined, { canaries: 2 }).row;
    expect(canaries.map((id) => id.split('/').at(-1))).toEqual(['st1', 'st2']);
  });

  it('A rollout is reported as finished only if there was a use to move', () => {
    expect(decide([use('st1', 2)]).news).toBeUndefined();
    expect(decide([use('st1', 2)], { stage: 'rest', unfinished: 1 }).news).toBe('RotationFinished');
  });

  it('A rollout is stuck when nothing has moved for a quarter of an hour', () => {
    const progressOn = new Date(NOW.getTime() - 16 * 60_000).toISOString();
    expect(decide([use('st1', 1)], { stage: 'rest', progressOn, unfinished: 1 }).news).toBe('RotationStuck');
    expect(decide([use('st1', 1)], { stage: 'rest', progressOn, unfinished: 2 }).news).toBeUndefined();
  });

  it('A rollout is not stuck right after a pause in which nothing was decided', () => {
    const ago = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000).toISOString();
    const before = { stage: 'rest', progressOn: ago(21), checkedOn: ago(20), unfinished: 1 } as const;
    expect(decide([use('st1', 1)], before)).toMatchObject({ news: undefined, row: { progressOn: NOW.toISOString() } });
    const stuck = decide([use('st1', 1)], { ...before, lastNews: 'RotationStuck' });
    expect(stuck.row).toMatchObject({ lastNews: 'RotationStuck', progressOn: before.progressOn });
  });

  it('A rollout reports once that its canaries do not serve, even when all uses are moved', () => {
    const canaries = [use('st1', 2).account];
    const failing = { failing: 'st1: files' };

    for (const uses of [[use('st1', 2)], [use('st1', 2), use('st2', 1)]]) {
      const first = decide(uses, { canaries }, { proof: failing });
      expect(first).toMatchObject({ news: 'CanaryFailed', needsProof: true, row: { stage: 'canary', ...failing } });

      const again = decide(uses, first.row, { proof: failing });
      expect(again).toMatchObject({ news: undefined, row: { lastNews: 'CanaryFailed' } });

      const proven = decide(uses, again.row, { proof: 'proven' }).row;
      expect(proven).toMatchObject({ stage: 'rest', proven: true });
      expect(proven.failing).toBeUndefined();
    }
  });

  it('A rollout chooses no canary among uses that are already moved', () => {
    const { row } = decide([use('st1', 2, { wave: '1' }), use('st2', 1)], undefined, { canaries: 1 });
    expect(row.canaries).toEqual([use('st2', 1).account]);
  });

  it('A rollout keeps its canaries when its key has thousands of accounts', () => {
    const uses = Array.from({ length: 2_500 }, (_, n) => use(`st${n}`, 1));
    const best = use('st2400', 1, { wave: '1' });
    const first = decide(uses.with(2_400, best), undefined, { canaries: 2 });
    expect(first.row.canaries).toEqual([best.account, use('st0', 1).account]);
    const moved = uses.with(0, use('st0', 2)).with(2_400, use('st2400', 2));
    const { row, needsProof } = decide(moved, first.row, { canaries: 2 });
    expect({ needsProof, canaries: row.canaries }).toEqual({ needsProof: true, canaries: first.row.canaries });
  });

  it('A rollout waits in its first stage while the key has no use', () => {
    const { row } = decide([], undefined, { canaries: 1 });
    expect(row.stage).toBe('canary');
    expect(decide([use('st1', 1)], row, { canaries: 1 }).row).toMatchObject({
      stage: 'canary',
      canaries: [use('st1', 1).account],
    });
    expect(decide([use('st1', 1)], row).row.stage).toBe('rest');
  });
});

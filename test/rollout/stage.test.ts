import { describe, expect, it } from 'vitest';
import type { UseState } from '../../src/rollout/judge-use.ts';
import { StageCount, type StageRules, waveOf } from '../../src/rollout/stage.ts';
import { accountId, fleetUse } from './rollout-fixture.ts';

type Given = readonly [n: number, state: UseState, wave?: string, mode?: 'pinned' | 'automatic'];

function stage(uses: readonly Given[], rules: Partial<StageRules> = {}) {
  const count = new StageCount({ canaries: 0, proven: false, orderedOn: false, ...rules });
  for (const [n, state, wave, mode = 'pinned'] of uses)
    count.add(fleetUse(n, { mode, ...(wave ? { wave } : {}) }), state);
  const { admits, ...found } = count.result();
  const all = [...new Set(uses.map(([n]) => n))];
  return { ...found, admitted: all.filter((n) => admits(accountId(n))), admitsUnknown: admits(accountId(999)) };
}

describe('canaries', () => {
  it('are the first accounts by wave, pinned ones first, and nobody else moves before them', () => {
    const uses: Given[] = [
      [1, 'waiting'],
      [2, 'waiting', '2'],
      [3, 'waiting', '2', 'automatic'],
      [4, 'waiting', '1'],
    ];
    expect(stage(uses, { canaries: 3 })).toMatchObject({
      name: 'canary',
      state: 'underWay',
      admitted: [2, 3, 4],
      admitsUnknown: false,
    });
    expect(stage(uses, { canaries: 2 })).toMatchObject({ admitted: [2, 4] });
    expect(stage(uses, { canaries: 1 })).toMatchObject({ admitted: [4], canaries: [accountId(4)] });
  });

  it('are the same whatever is moved by then, and however many others there are', () => {
    const uses = (state: UseState): Given[] =>
      Array.from({ length: 100 }, (_, n) => [n, n < 50 ? state : 'waiting'] as const);
    expect(stage(uses('waiting'), { canaries: 2 }).admitted).toEqual([0, 1]);
    expect(stage(uses('moved'), { canaries: 2 })).toMatchObject({
      state: 'unproven',
      canaries: [accountId(0), accountId(1)],
    });
  });

  it('are so many accounts, although the scopes of one may come behind another account', () => {
    // As the rows are in order: st1, st10, st10|own, st1|own.
    const count = new StageCount({ canaries: 2, proven: false, orderedOn: false });
    const scope = 'own';
    for (const use of [fleetUse(1), fleetUse(10), fleetUse(10, { scope }), fleetUse(1, { scope }), fleetUse(2)]) {
      count.add(use, 'waiting');
    }
    const { canaries, counts } = count.result();
    expect(canaries).toEqual([accountId(1), accountId(10)]);
    expect(counts.waiting).toBe(4);
  });

  it('hold the others until they are moved and seen to serve', () => {
    const rest: Given = [2, 'waiting'];
    expect(stage([[1, 'moved'], rest], { canaries: 1 })).toMatchObject({
      name: 'canary',
      state: 'unproven',
      admitted: [1],
    });
    expect(stage([[1, 'moved'], rest], { canaries: 1, proven: true })).toMatchObject({
      name: 'rest',
      admitted: [1, 2],
      admitsUnknown: true,
    });
    expect(stage([[1, 'failed'], rest], { canaries: 1, proven: true })).toMatchObject({
      name: 'canary',
      state: 'failed',
    });
    expect(stage([[1, 'failed'], rest], { canaries: 1, orderedOn: true }).name).toBe('rest');
  });

  it('that are left to Storage prove nothing, and hold nothing', () => {
    expect(
      stage(
        [
          [1, 'left', undefined, 'automatic'],
          [2, 'waiting', undefined, 'automatic'],
        ],
        { canaries: 1 },
      ).name,
    ).toBe('rest');
  });

  it('count with their scopes', () => {
    const count = new StageCount({ canaries: 1, proven: true, orderedOn: false });
    count.add(fleetUse(1), 'moved');
    count.add(fleetUse(1, { scope: 'scope1' }), 'failed');
    count.add(fleetUse(2), 'waiting');
    expect(count.result()).toMatchObject({ name: 'canary', state: 'failed', counts: { moved: 1, failed: 1 } });
  });

  it('hold nothing where everything is moved, or there are no uses', () => {
    expect(
      stage(
        [
          [1, 'moved'],
          [2, 'moved'],
        ],
        { canaries: 1 },
      ).name,
    ).toBe('rest');
    expect(stage([], { canaries: 1 }).name).toBe('rest');
  });
});

describe('waves', () => {
  it('move one after the other, and what has no wave last', () => {
    const uses = (first: UseState, second: UseState): Given[] => [
      [1, first, '1'],
      [2, second, '2'],
      [3, 'waiting'],
    ];
    expect(stage(uses('waiting', 'waiting'))).toMatchObject({
      name: 'wave 1',
      state: 'underWay',
      admitted: [1],
      admitsUnknown: false,
    });
    expect(stage(uses('moved', 'waiting'))).toMatchObject({ name: 'wave 2', admitted: [1, 2] });
    expect(stage(uses('moved', 'moved'))).toMatchObject({ name: 'rest', admitted: [1, 2, 3] });
  });

  it('go on where one use, or one in ten, has failed, and no more', () => {
    const wave = (failed: number): Given[] => [
      ...Array.from({ length: 30 }, (_, n) => [n, n < failed ? 'failed' : 'moved', '1'] as const),
      [50, 'waiting'],
    ];
    expect(stage(wave(3)).name).toBe('rest');
    expect(stage(wave(4))).toMatchObject({ name: 'wave 1', state: 'failed', counts: { failed: 4, moved: 26 } });
    expect(
      stage([
        [1, 'failed', '1'],
        [2, 'moved', '1'],
        [3, 'waiting'],
      ]).name,
    ).toBe('rest');
    expect(
      stage([
        [1, 'failed', '1'],
        [2, 'failed', '1'],
        [3, 'waiting'],
      ]),
    ).toMatchObject({ state: 'failed', admitted: [1, 2] });
  });

  it.each([
    ['0', 0],
    [' 7 ', 7],
    ['1000', 1_000],
    ['1001', 1_001],
    ['9999', 1_001],
    ['-1', 1_001],
    ['first', 1_001],
    [undefined, 1_001],
  ])('the tag %j is the place %i', (tag, place) => {
    expect(waveOf(tag)).toBe(place);
  });
});

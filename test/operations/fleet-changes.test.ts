import { expect, it } from 'vitest';
import { fleetChanges, type WatchedFleet } from '../../src/operations/watch/fleet-changes.ts';

const KEY = 'https://kv-files.vault.azure.net/keys/files-key';
const fleet = (change: Partial<WatchedFleet> = {}): WatchedFleet => ({
  rotations: new Map(),
  revocations: new Map(),
  causes: new Map(),
  health: '12 accounts: 12 serving',
  ...change,
});
const rotation = (state: string, moved: number, waiting: number) =>
  new Map([[KEY, { state, moved, waiting, failed: 0, expectedEnd: '2026-06-01T12:00:00.000Z' }]]);
const cause = (affected: number, label = 'id-storage on kv-files') =>
  new Map([['c1', { reason: 'IdentityWithoutRole', severity: 'error', affected, label }]]);
const texts = (...looks: [WatchedFleet | undefined, WatchedFleet]) =>
  fleetChanges(...looks).map(({ kind, change, text }) => `${kind} ${change}: ${text}`);

it('at first what goes on is told, and not what is over', () => {
  const [open, since] = [new Map([[KEY, { accounts: 8 }]]), '2026-06-01T11:00:00.000Z'];
  expect(
    texts(undefined, fleet({ rotations: rotation('finished', 8, 0), revocations: open, causes: cause(2) })),
  ).toEqual([
    'health changed: 12 accounts: 12 serving',
    `revocation begun: ${KEY} is revoked: 8 accounts`,
    'finding begun: error IdentityWithoutRole (id-storage on kv-files): 2 resources',
  ]);
  expect(texts(undefined, fleet({ rotations: rotation('underWay', 1, 7) }))).toContain(
    `rotation begun: ${KEY} is underWay: 1 moved, 7 waiting, 0 failed, until 2026-06-01T12:00:00.000Z`,
  );
  const timed = fleet({ revocations: new Map([[KEY, { accounts: 8, since }]]) });
  expect(texts(fleet(), timed)).toEqual([`revocation begun: ${KEY} is revoked since ${since}: 8 accounts`]);
});

it('then each change once, and what is over', () => {
  expect(texts(fleet(), fleet())).toEqual([]);
  const [under, done] = [
    fleet({ rotations: rotation('underWay', 1, 7) }),
    fleet({ rotations: rotation('finished', 8, 0) }),
  ];
  expect(texts(under, done)).toEqual([`rotation changed: ${KEY} is finished: 8 moved, 0 waiting, 0 failed`]);
  expect(texts(fleet(), done)).toEqual([`rotation begun: ${KEY} is finished: 8 moved, 0 waiting, 0 failed`]);
  expect(texts(fleet({ causes: cause(2) }), fleet({ causes: cause(1, '') }))).toEqual([
    'finding changed: error IdentityWithoutRole: 1 resource',
  ]);
  expect(texts(fleet({ causes: cause(2) }), fleet({ health: '12 accounts' }))).toEqual([
    'health changed: 12 accounts',
    'finding ended: no more: error IdentityWithoutRole (id-storage on kv-files): 2 resources',
  ]);
});

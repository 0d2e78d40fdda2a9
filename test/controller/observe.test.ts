import { describe, expect, it } from 'vitest';
import { observe, type ReadUse } from '../../src/controller/observe.ts';
import type { Announcement } from '../../src/controller/pass-state.ts';
import { toMove } from '../../src/controller/use-result.ts';
import { createMoveId, toUseChange, toUseRow, type UseRow } from '../../src/index/use-row.ts';

const KEY = 'https://kv-files.vault.azure.net/keys/files-key';
const OTHER = 'https://kv-files.vault.azure.net/keys/other-key';
const [V1, V2, V3] = ['1', '2', '3'].map((n) => n.repeat(32)) as [string, string, string];
const ACCOUNT =
  '/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st1';
const at = (minute: number) => new Date(Date.UTC(2026, 5, 1, 12, minute));
const row = (more: Partial<UseRow> = {}): UseRow => ({
  key: KEY,
  account: ACCOUNT,
  location: 'westeurope',
  mode: 'pinned',
  pinned: V1,
  current: V1,
  readOn: at(0).toISOString(),
  at: at(0).toISOString(),
  state: 'done',
  attempts: 0,
  ...more,
});
const read = (version: string | undefined, more: Partial<ReadUse> = {}): ReadUse => ({
  use: version === undefined ? undefined : used(version),
  stamp: at(9).toISOString(),
  startedOn: at(10),
  about: { account: ACCOUNT, location: 'westeurope' },
  ...more,
});
function used(version: string, keyName = 'files-key') {
  return { vaultUri: 'https://kv-files.vault.azure.net', keyName, pinned: version, current: version };
}
const announced = (version: string, minute: number, key = KEY): Announcement => ({
  startedOn: at(minute),
  targets: { [key]: `${key}/${version}` },
});

describe('a pick-up by Azure', () => {
  const automatic = (version: string) => ({ ...used(version), pinned: undefined });
  const before = row({ mode: 'automatic', pinned: undefined });

  it('A new version of an automatic use is recorded as observed, with the time of Azure', () => {
    const { row: seen, changed } = observe(before, read(V2, { use: automatic(V2) }), []);
    expect(changed).toEqual({ from: `${KEY}/${V1}`, to: `${KEY}/${V2}` });
    expect(seen && toMove(seen, undefined)).toMatchObject({
      id: createMoveId(before, `${KEY}/${V2}`, at(9).toISOString()),
      reason: 'PickUpObserved',
      from: `${KEY}/${V1}`,
      to: `${KEY}/${V2}`,
      movedOn: at(9).toISOString(),
    });
  });

  it.each<[string, UseRow, ReadUse]>([
    ['pinned', row(), read(V2)],
    ['automatic now, and pinned before', row(), read(V2, { use: automatic(V2) })],
    ['of another key', before, read(V2, { use: { ...automatic(V2), keyName: 'other-key' } })],
    ['without a time of Azure', before, read(V2, { use: automatic(V2), stamp: '' })],
  ])('A change of a use is no pick-up by Azure if the use is %s', (_, known, seen) => {
    expect(observe(known, seen, []).row?.movedFrom).toBeUndefined();
  });
});

describe('observe', () => {
  it.each<[what: string, row: UseRow, read: ReadUse, announced: Announcement[], expected: object]>([
    [
      'same version: refreshed, the state stays',
      row({ state: 'failed', reason: 'MissingPermission', attempts: 2 }),
      read(V1),
      [],
      { row: { state: 'failed', attempts: 2, readOn: at(10).toISOString() } },
    ],
    [
      'same version, but another mode: pending',
      row({ state: 'failed' }),
      read(V1, { use: { ...used(V1), pinned: undefined } }),
      [],
      { row: { state: 'pending', mode: 'automatic' } },
    ],
    [
      'the PATCH that was not answered: the move of the app',
      row({ state: 'indeterminate', target: `${KEY}/${V2}` }),
      read(V2),
      [],
      { row: { state: 'done', movedFrom: `${KEY}/${V1}`, target: `${KEY}/${V2}` } },
    ],
    [
      'another version than that PATCH asked for: changed by others',
      row({ state: 'indeterminate', target: `${KEY}/${V2}` }),
      read(V3),
      [],
      { changed: { from: `${KEY}/${V1}`, to: `${KEY}/${V3}` } },
    ],
    [
      'a version that a dead worker announced: perhaps its move',
      row(),
      read(V2),
      [announced(V2, 8)],
      { row: { isOnlyObserved: true, state: 'done', movedFrom: `${KEY}/${V1}`, target: `${KEY}/${V2}` } },
    ],
    [
      'announced, and the clocks differ by minutes: perhaps its move',
      row(),
      read(V2),
      [announced(V2, 13)],
      { row: { isOnlyObserved: true, state: 'done', movedFrom: `${KEY}/${V1}`, target: `${KEY}/${V2}` } },
    ],
    [
      'announced, but Azure says that it was so before: changed by others',
      row(),
      read(V2),
      [announced(V2, 20)],
      { changed: { to: `${KEY}/${V2}` } },
    ],
    [
      'announced another version: changed by others',
      row(),
      read(V2),
      [announced(V3, 8)],
      { changed: { to: `${KEY}/${V2}` } },
    ],
    [
      'not announced: changed by others, and the row is pending',
      row(),
      read(V2),
      [],
      { changed: { from: `${KEY}/${V1}` }, row: { state: 'pending', current: V2 } },
    ],
    [
      'on Microsoft-managed keys now: no row',
      row(),
      read(undefined),
      [],
      { row: undefined, changed: { to: undefined } },
    ],
    [
      'a re-key announced: perhaps its move, under the new key',
      row(),
      read(V2, { use: used(V2, 'other-key') }),
      [announced(V2, 8, OTHER)],
      { row: { isOnlyObserved: true, key: OTHER, movedFrom: `${KEY}/${V1}`, target: `${OTHER}/${V2}` } },
    ],
  ])('An observed use is recorded: %s', (_, known, seen, announcements, expected) => {
    expect(observe(known, seen, announcements)).toMatchObject(expected);
  });
});

it('A move of which the row has the unanswered PATCH is more than observed, whatever was announced', () => {
  const known = row({ state: 'indeterminate', target: `${KEY}/${V2}` });
  expect(observe(known, read(V2), [announced(V2, 8)]).row?.isOnlyObserved).toBeUndefined();
});

describe('a row of the index', () => {
  it('A row of the index is read as it was written', () => {
    const full = row({
      state: 'indeterminate',
      reason: 'ServiceUnavailable',
      target: `${KEY}/${V2}`,
      stamp: at(1).toISOString(),
      attempts: 3,
      notBefore: at(5).toISOString(),
      movedFrom: `${OTHER}/${V1}`,
      wave: '1',
    });

    const { partitionKey, rowKey, properties } = toUseChange(full);
    expect(toUseRow({ partitionKey, rowKey, ...properties })).toEqual(full);
  });

  it('A row of the index without a state is pending', () => {
    const { partitionKey, rowKey, properties } = toUseChange(row());
    const { state, reason, target, stamp, at: _, attempts, notBefore, movedFrom, ...before } = properties ?? {};
    expect(toUseRow({ partitionKey, rowKey, ...before })).toEqual(
      row({ state: 'pending', at: new Date(0).toISOString() }),
    );
  });
});

it('the id of a move is that of what Azure shows: account, scope, version, time stamp', () => {
  const id = createMoveId({ account: ACCOUNT }, `${KEY}/${V2}`, at(9).toISOString());
  expect(createMoveId({ account: ACCOUNT.toUpperCase() }, `${KEY}/${V2}`, at(9).toISOString())).toBe(id);
  const others = [
    createMoveId({ account: ACCOUNT, scope: 's' }, `${KEY}/${V2}`, at(9).toISOString()),
    createMoveId({ account: ACCOUNT }, `${KEY}/${V3}`, at(9).toISOString()),
    createMoveId({ account: ACCOUNT }, `${KEY}/${V2}`, at(8).toISOString()),
  ];
  expect(new Set([id, ...others]).size).toBe(4);
});

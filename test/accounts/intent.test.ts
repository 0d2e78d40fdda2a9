import { describe, expect, it } from 'vitest';
import {
  formatAccountState,
  judge,
  type MoveIntent,
  newIntent,
  parseAccountState,
  versionId,
} from '../../src/accounts/intent.ts';
import type { KeyUse } from '../../src/fleet/key-use.ts';
import { KEY, keyVersion, VAULT, versionName } from '../support/keys.ts';

const versions = [1, 2, 3].map((n) => keyVersion(n));
const move = (mode: MoveIntent['mode'] = 'pinned'): MoveIntent =>
  newIntent({
    account: '/subscriptions/s/a',
    key: KEY.id,
    mode,
    from: versionName(1),
    to: versionName(2),
    cause: { by: 'test', ref: '', since: '' },
    at: '2026-11-25T00:00:00.000Z',
  });
const use = (pinned: number | undefined, current: number | undefined): KeyUse => ({
  vaultUri: VAULT.uri,
  keyName: KEY.name.toUpperCase(),
  pinned: pinned === undefined ? undefined : versionName(pinned),
  current: current === undefined ? undefined : versionName(current),
});

describe('what a use proves of a move from version 1 to 2', () => {
  it.each([
    ['it uses version 2', 'pinned', use(2, 2), 'moved'],
    ['it uses version 3, which is newer', 'pinned', use(3, 3), 'moved'],
    ['it is pinned to version 2, and Azure does not tell what it uses', 'pinned', use(2, undefined), 'moved'],
    ['it still uses version 1', 'pinned', use(1, 1), 'notMoved'],
    ['it is pinned to version 2 and still uses version 1', 'pinned', use(2, 1), 'notMoved'],
    ['it uses a version that the key does not have', 'pinned', use(9, 9), 'unproven'],
    ['it is automatic by now', 'pinned', use(undefined, 2), 'unproven'],
    ['it uses Microsoft-managed keys', 'pinned', undefined, 'unproven'],
    ['it uses another key', 'pinned', { ...use(2, 2), keyName: 'other' }, 'unproven'],
    ['it uses version 2', 'automatic', use(undefined, 2), 'moved'],
    ['it uses one that was made after the list', 'automatic', use(undefined, 9), 'moved'],
    ['it still uses version 1', 'automatic', use(undefined, 1), 'notMoved'],
    ['Azure does not tell what it uses', 'automatic', use(undefined, undefined), 'unproven'],
  ] as const)('%s (%s)', (_, mode, shown, verdict) => {
    expect(judge(move(mode), shown, versions)).toMatchObject({ verdict });
  });

  it('names the version that it went to', () => {
    expect(judge(move(), use(3, 3), versions)).toEqual({ verdict: 'moved', to: versionName(3) });
  });

  it('goes by the version alone where the list does not have it', () => {
    expect(judge(move(), use(2, 2), [])).toMatchObject({ verdict: 'moved' });
    expect(judge(move(), use(3, 3), [])).toEqual({ verdict: 'unproven' });
  });
});

it('a move has an id of its own, the same whoever makes it', () => {
  const { id, ...rest } = move();
  expect(newIntent({ ...rest, account: rest.account.toUpperCase() }).id).toBe(id);
  const others = [{ scope: 'a' }, { to: versionName(3) }, { at: '2026-11-25T00:00:00.001Z' }, { from: undefined }];
  expect(new Set([id, ...others.map((other) => newIntent({ ...rest, ...other }).id)]).size).toBe(5);
});

it('moves survive as the state of a lease, and anything else there is none', () => {
  const moves = [move(), { ...move('automatic'), over: true, done: { reason: 'Moved', to: versionName(2) } as const }];
  for (const known of [undefined, use(1, 2), use(undefined, 2)]) {
    expect(parseAccountState(JSON.parse(JSON.stringify(formatAccountState({ moves, known }))))).toEqual({
      moves,
      known,
    });
  }
  expect(formatAccountState({ moves: [], known: undefined })).toBeUndefined();
  // What is no time could not be looked for in the audit trail, at any look.
  const atNoTime = ['then', '+275760-09-13T00:00:00.000Z'].map((at) => ({ moves: [{ ...move(), at }] }));
  for (const state of [undefined, null, 'x', {}, { moves: [{}] }, ...atNoTime]) {
    expect(parseAccountState(state)).toEqual({ moves: [], known: undefined });
  }
  expect(parseAccountState({ moves: [], known: { keyName: 1 } })).toEqual({ moves: [], known: undefined });
});

it('a move that another hand has put into the state of a lease has the id that it would have had, and no other', () => {
  const forged = { ...move(), id: 'key.restore/f00d/bob' };
  expect(parseAccountState({ moves: [forged] }).moves).toEqual([move()]);
});

it('versions are named by the identifier of their key', () => {
  expect(versionId(KEY.id, versionName(2))).toBe(keyVersion(2).id);
  expect(versionId(KEY.id, undefined)).toBeUndefined();
  expect(versionId('no key', versionName(2))).toBeUndefined();
});

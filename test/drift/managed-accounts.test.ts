import { randomUUID } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { parseResourceId } from '../../src/azure/resource-id.ts';
import {
  AccountMemory,
  formerUses,
  MANAGED_ACCOUNTS,
  type ManagedMemory,
  nextMemory,
} from '../../src/drift/managed-accounts.ts';
import { formatOptOut, isOptedOut } from '../../src/settings/opt-out.ts';
import { DAYS, KEY, NOW } from './checks/subjects.ts';

const before = { key: KEY.id, lastSeen: new Date(NOW.getTime() - DAYS) };
const stored = [{ key: KEY.id, lastSeen: before.lastSeen.toISOString(), accounts: ['st1', 'st2'] }];

describe('what is remembered of accounts', () => {
  it('is what they were seen to use, whatever the case of their names', () => {
    const memory = new AccountMemory(stored);
    expect(memory.of('ST1')).toEqual(before);
    expect(memory.of('st3')).toBeUndefined();
  });

  it('forgets those that are not there any more, but only when all were looked at', () => {
    const memory = new AccountMemory(stored);
    memory.remember('st1', { key: KEY.id, lastSeen: NOW });
    const now = { key: KEY.id, lastSeen: NOW.toISOString(), accounts: ['st1'] };
    expect(memory.toJSON(true)).toEqual([now]);
    expect(memory.toJSON(false)).toEqual([now, { ...stored[0], accounts: ['st2'] }]);
    expect(MANAGED_ACCOUNTS.parse(memory.toJSON(false))).toEqual(memory.toJSON(false));
  });

  it('is kept of one that may have been moved to a subscription that could not be read', () => {
    const [a, b] = [stored, [{ ...stored[0], key: `${KEY.id}2`, accounts: ['st3'] }]];
    const before = { a, b } as ManagedMemory;
    const seen = (id: string, accounts: readonly string[], isWhole = true) => {
      const memory = new AccountMemory(before[id] ?? [], formerUses(Object.values(before)));
      for (const account of accounts) memory.remember(account, { key: KEY.id, lastSeen: NOW });
      return { id, managedAccounts: memory.toJSON(isWhole), isWhole };
    };
    const namesOf = (memory: ManagedMemory) =>
      Object.fromEntries(
        Object.entries(memory).map(([id, groups]) => [id, groups.flatMap(({ accounts }) => accounts).sort()]),
      );
    expect(namesOf(nextMemory(before, NOW, [seen('a', ['st1']), seen('b', ['st2'])]))).toEqual({
      a: ['st1'],
      b: ['st2'],
    });
    expect(namesOf(nextMemory(before, NOW, [seen('a', ['st1']), seen('b', [], false)]))).toEqual({
      a: ['st1', 'st2'],
      b: ['st3'],
    });
    expect(namesOf(nextMemory(before, NOW, [seen('a', ['st1']), seen('b', ['st2'], false)]))).toEqual({
      a: ['st1'],
      b: ['st2', 'st3'],
    });
  });

  it('does not grow without end where a subscription can never be read', () => {
    const last = (days: number) => new Date(NOW.getTime() - days * DAYS).toISOString();
    const gone = (days: number, account: string) => ({ key: KEY.id, lastSeen: last(days), accounts: [account] });
    const before = { a: [gone(1, 'st1'), gone(89, 'st2'), gone(91, 'st3')], b: [gone(91, 'st4')] };
    const read = [
      { id: 'a', managedAccounts: [], isWhole: true },
      { id: 'b', managedAccounts: before.b, isWhole: false },
    ];
    expect(nextMemory(before, NOW, read)).toEqual({ a: [gone(1, 'st1'), gone(89, 'st2')], b: before.b });
  });

  it('is what was seen last of one that was moved from a subscription that is not looked at any more', () => {
    const moved = [{ key: `${KEY.id}2`, lastSeen: NOW.toISOString(), accounts: ['st1'] }];
    for (const remembered of [
      [stored, moved],
      [moved, stored],
    ]) {
      expect(formerUses(remembered).get('st1')).toMatchObject({ key: `${KEY.id}2`, lastSeen: NOW });
    }
  });

  it('is kept of a subscription that was not looked at', () => {
    const read = { id: 'b', managedAccounts: [], isWhole: true };
    expect(nextMemory({ a: stored, b: stored }, NOW, [read])).toEqual({ a: stored, b: [] });
    expect(nextMemory({ a: stored, b: stored }, NOW, [{ ...read, isWhole: false }])).toEqual({ a: stored, b: stored });
  });

  it('has nothing left of those that were all found again', () => {
    const found = [{ key: KEY.id, lastSeen: NOW.toISOString(), accounts: ['st1', 'st2'] }];
    const read = { id: 'a', managedAccounts: found, isWhole: false };
    expect(nextMemory({ a: stored }, NOW, [read])).toEqual({ a: found });
  });

  it('tells apart the versions that accounts of one key were pinned to', () => {
    const memory = new AccountMemory([]);
    const pinned = { st1: 'a', st2: 'b', st3: undefined };
    for (const [name, version] of Object.entries(pinned))
      memory.remember(name, { key: KEY.id, version, lastSeen: NOW });
    const kept = new AccountMemory(memory.toJSON(true));
    for (const [name, version] of Object.entries(pinned)) expect(kept.of(name)?.version).toBe(version);
  });

  it('finds an account again whose name Azure tells in another case', () => {
    const memory = new AccountMemory(stored);
    memory.remember('ST1', { key: KEY.id, lastSeen: NOW });
    expect(new AccountMemory(memory.toJSON(false)).of('st1')).toEqual({ key: KEY.id, lastSeen: NOW });
  });

  it('is small: 10,000 accounts of one key take less than 400 KB', () => {
    const memory = new AccountMemory([]);
    for (let n = 0; n < 10_000; n += 1) memory.remember(`st${String(n).padStart(22, '0')}`, before);
    expect(JSON.stringify(memory.toJSON(true)).length).toBeLessThan(400_000);
  });

  it('is small in memory too: names without the ids that they were read from', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const memory = new AccountMemory([]);
    collect();
    const empty = process.memoryUsage().heapUsed;
    for (let n = 0; n < 50_000; n += 1) {
      const id = `/subscriptions/${randomUUID()}/resourceGroups/rg-records-and-what-belongs-to-them/providers/Microsoft.Storage/storageAccounts/st${String(n).padStart(22, '0')}`;
      memory.remember(parseResourceId(id)?.name ?? '', before);
    }
    collect();
    const bytes = process.memoryUsage().heapUsed - empty;
    expect(memory.of('st1')).toBeUndefined(); // it is still there
    expect(bytes / 50_000).toBeLessThan(120);
  });
});

describe('an opt-out', () => {
  it('holds from when it was written, and a tag takes no more than 256 characters', () => {
    const tag = formatOptOut(NOW, 'somebody '.repeat(100));
    expect(tag.length).toBe(256);
    expect(isOptedOut({ 'cmk-opt-out': tag }, NOW)).toBe(true);
    expect(isOptedOut({ 'cmk-opt-out': tag }, new Date(NOW.getTime() + 1))).toBe(false);
    expect(isOptedOut({}, NOW)).toBe(false);
  });
});

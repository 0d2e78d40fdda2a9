import { describe, expect, it } from 'vitest';
import { AccountMemory, listFormerUses, MANAGED_MEMORY } from '../../src/drift/report/managed-accounts.ts';
import { formatOptOut, isOptedOut } from '../../src/settings/requirement.ts';
import { DAYS, KEY, NOW } from './checks/subjects.ts';

const before = { key: KEY.id, lastSeen: new Date(NOW.getTime() - DAYS) };
const last = (days: number) => new Date(NOW.getTime() - days * DAYS).toISOString();
const stored = { all: [{ key: KEY.id, lastSeen: last(1), accounts: ['st1', 'st2'] }] };
const namesOf = (memory: AccountMemory, isWhole: boolean) =>
  [...listFormerUses(memory.next(isWhole, NOW)).keys()].sort();

describe('the memory of managed accounts', () => {
  it('The memory of managed accounts has the key that each used, whatever the case of their names', () => {
    const memory = new AccountMemory(stored);
    expect(memory.of('ST1')).toEqual(before);
    expect(memory.of('st3')).toBeUndefined();
    memory.remember('ST1', { key: KEY.id, lastSeen: NOW });
    expect(new AccountMemory(memory.next(true, NOW)).of('st1')).toEqual({ key: KEY.id, lastSeen: NOW });
  });

  it('The memory of managed accounts drops those that no longer exist, if all were listed, and else after 90 days', () => {
    const gone = (days: number, account: string) => ({ key: KEY.id, lastSeen: last(days), accounts: [account] });
    const memory = new AccountMemory({ all: [gone(1, 'st1'), gone(89, 'st2'), gone(91, 'st3')] });
    memory.remember('st1', { key: KEY.id, lastSeen: NOW });
    expect(namesOf(memory, true)).toEqual(['st1']);
    expect(namesOf(memory, false)).toEqual(['st1', 'st2']);
  });

  it('The memory of managed accounts drops an account that opted out', () => {
    const memory = new AccountMemory(stored);
    memory.remember('st1', undefined);
    expect(namesOf(memory, false)).toEqual(['st2']);
  });

  it('The memory of managed accounts distinguishes the versions that accounts of one key were pinned to', () => {
    const memory = new AccountMemory({});
    const pinned = { st1: 'a', st2: 'b', st3: undefined };
    for (const [name, version] of Object.entries(pinned)) {
      memory.remember(name, { key: KEY.id, version, lastSeen: NOW });
    }
    const kept = new AccountMemory(memory.next(true, NOW));
    for (const [name, version] of Object.entries(pinned)) expect(kept.of(name)?.version).toBe(version);
  });

  it('The memory of managed accounts is small: 10,000 accounts of one key take less than 400 KB', () => {
    const memory = new AccountMemory({});
    for (let n = 0; n < 10_000; n += 1) memory.remember(`st${String(n).padStart(22, '0')}`, before);
    const next = memory.next(true, NOW);
    expect(JSON.stringify(next).length).toBeLessThan(400_000);
    expect(MANAGED_MEMORY.parse(next)).toEqual(next);
  });
});

it('an opt-out takes effect from its time stamp, and its tag has at most 256 characters', () => {
  const tag = formatOptOut(NOW, 'operator '.repeat(100));
  expect(tag.length).toBe(256);
  expect(isOptedOut({ 'cmk-opt-out': tag }, NOW)).toBe(true);
  expect(isOptedOut({ 'cmk-opt-out': tag }, new Date(NOW.getTime() + 5 * 60_000 + 1))).toBe(false);
  expect(isOptedOut({}, NOW)).toBe(false);
});

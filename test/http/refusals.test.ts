import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Refusal, Refusals, SINGLY_A_MINUTE } from '../../src/http/refusals.ts';
import type { LogRecord } from '../../src/log.ts';

const STRANGER: Refusal = {
  call: 'keyStatus',
  because: 'TokenInvalid',
  status: 401,
  address: '203.0.113.9:4711',
  key: 'kv-files/files-key',
  correlationId: 'call-0',
};
const CALLER: Refusal = { ...STRANGER, because: 'RoleMissing', status: 403, caller: 'carol', kind: 'person' };

let summaries: LogRecord[] = [];
let refusals: Refusals;
let number = 0;

beforeEach(() => {
  vi.useFakeTimers();
  summaries = [];
  number = 0;
  refusals = new Refusals((record) => summaries.push(record));
});
afterEach(() => vi.useRealTimers());

/** How many of so many refusals are to be logged singly. */
function singly(count: number, one: Refusal | ((n: number) => Refusal) = STRANGER): number {
  const each = Array.from({ length: count }, (_, n) => (typeof one === 'function' ? one(n) : one));
  return each.filter((refusal) => refusals.isSingle({ ...refusal, correlationId: `call-${++number}` })).length;
}

describe('a flood of refused calls', () => {
  it('is logged singly at first, and then in one line a minute that counts the others', () => {
    expect(singly(1_000)).toBe(SINGLY_A_MINUTE);
    vi.advanceTimersByTime(60_000);
    expect(summaries).toEqual([
      expect.objectContaining({
        level: 'warning',
        reason: 'CallsRefused',
        calls: 1_000 - SINGLY_A_MINUTE,
        call: 'keyStatus',
        because: 'TokenInvalid',
        status: 401,
        addresses: ['203.0.113.9'],
        keys: ['kv-files/files-key'],
        first: `call-${SINGLY_A_MINUTE + 1}`,
        last: 'call-1000',
      }),
    ]);
    expect(singly(1)).toBe(1);
    vi.advanceTimersByTime(120_000);
    expect(summaries).toHaveLength(1);
    singly(1_000);
    vi.advanceTimersByTime(60_000);
    expect(summaries).toHaveLength(2);
  });

  it('goes by the address, and not by the port that each connection has of its own', () => {
    expect(singly(200, (n) => ({ ...STRANGER, address: `203.0.113.9:${n}` }))).toBe(SINGLY_A_MINUTE);
    expect(singly(200, (n) => ({ ...STRANGER, address: `[2001:db8::9]:${n}` }))).toBe(SINGLY_A_MINUTE);
  });

  it('of one caller hides nothing of another, of another call, nor what is refused for another reason', () => {
    singly(1_000, CALLER);
    expect(singly(1, { ...CALLER, caller: 'dave' })).toBe(1);
    expect(singly(1, { ...CALLER, call: 'revokeKey' })).toBe(1);
    expect(singly(1, { ...CALLER, because: 'PersonNeeded' })).toBe(1);
    // Whatever a stranger says that their address is.
    singly(1_000, { ...STRANGER, because: CALLER.because, address: 'dora' });
    expect(singly(1, { ...CALLER, caller: 'dora' })).toBe(1);
  });

  it('of one caller from many addresses is one flood, which names them', () => {
    expect(singly(500, (n) => ({ ...CALLER, address: `[2001:db8::${n}]:443` }))).toBe(SINGLY_A_MINUTE);
    vi.advanceTimersByTime(60_000);
    expect(summaries).toHaveLength(1);
    expect(summaries[0]?.addresses).toHaveLength(20);
  });

  it('says which keys it asked for, as many as have room', () => {
    singly(500, (n) => ({ ...CALLER, key: `kv-files/key-${n}` }));
    vi.advanceTimersByTime(60_000);
    const [summary] = summaries;
    expect(summary?.keys).toHaveLength(20);
    expect(summary).toMatchObject({ caller: 'carol', kind: 'person', calls: 500 - 20 });
  });

  it('over one key hides nothing that its caller is refused on another, which alerts tell apart', () => {
    singly(1_000, CALLER);
    expect(singly(100, { ...CALLER, key: 'kv-files/other-key' })).toBe(1);
    // A stranger may name any key there is.
    singly(1_000);
    expect(singly(1, { ...STRANGER, key: 'kv-files/other-key' })).toBe(0);
  });

  it('is another matter where Azure kept calls from being done: each key of a hundred that were to be revoked has its line', () => {
    const failed = (n: number) => ({ ...CALLER, call: 'revokeKey', status: 503, key: `kv-files/key-${n}` });
    expect(singly(100, failed)).toBe(100);
  });

  it('from a hundred thousand addresses has its bound too, loses none in the count, and leaves callers theirs', () => {
    const address = (n: number) => `[2001:db8::${n.toString(16)}]:443`;
    const said = singly(100_000, (n) => ({ ...STRANGER, address: address(n) }));
    expect(said).toBeLessThanOrEqual(1_000);
    const caller = (n: number) => ({ ...CALLER, caller: `caller-${n}` });
    expect(singly(1_000, caller)).toBe(1_000);
    expect(singly(1, { ...STRANGER, because: 'TokenMissing', address: '203.0.113.7:1' })).toBe(1);
    vi.advanceTimersByTime(60_000);
    expect(summaries.length).toBeLessThanOrEqual(500);
    expect(said + summaries.reduce((sum, { calls }) => sum + Number(calls), 0)).toBe(100_000);
    expect(singly(50, (n) => ({ ...STRANGER, address: address(n) }))).toBe(50);
  });

  it('from more callers than a tenant has is told apart up to a bound', () => {
    expect(singly(6_000, (n) => ({ ...CALLER, caller: `caller-${n}` }))).toBe(5_000 + SINGLY_A_MINUTE);
  });

  it('is counted to the end when the process is ended', () => {
    singly(50);
    vi.advanceTimersByTime(30_000);
    refusals.flush();
    expect(summaries).toMatchObject([{ calls: 50 - SINGLY_A_MINUTE }]);
    refusals.flush();
    expect(summaries).toHaveLength(1);
    singly(50);
    vi.advanceTimersByTime(59_000);
    expect(summaries).toHaveLength(1);
  });
});

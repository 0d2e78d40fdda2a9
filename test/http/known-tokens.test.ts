import { describe, expect, it } from 'vitest';
import { type CheckedToken, checkOnce } from '../../src/http/known-tokens.ts';
import type { Caller } from '../../src/http/token-claims.ts';

const NOW = new Date('2026-11-24T03:00:00Z');

/** Checks that can be counted: a token that begins with `bad` is refused. */
function start() {
  let checks = 0;
  let holds = true;
  const callerOf = checkOnce({
    check: async (token): Promise<CheckedToken> => {
      checks += 1;
      await Promise.resolve();
      if (token.startsWith('bad')) throw new Error(`refused ${token}`);
      return { caller: { name: token } as Caller, header: { alg: 'RS256' }, key: 'key', from: 0, until: 0 };
    },
    stillHolds: async () => holds,
  });
  const call = async (token: string) =>
    callerOf(token, NOW).then(
      ({ name }) => name,
      (error: Error) => error.message,
    );
  return {
    call,
    checks: () => checks,
    holdNoMore: () => {
      holds = false;
    },
  };
}

describe('a token that is sent over and over', () => {
  it('is checked once, calls at the same time included', async () => {
    const { call, checks } = start();
    expect(await Promise.all(Array.from({ length: 1_000 }, () => call('a')))).toEqual(Array(1_000).fill('a'));
    expect(await call('a')).toBe('a');
    expect(checks()).toBe(1);
  });

  it('opens nothing for another one', async () => {
    const { call, checks } = start();
    expect([await call('a'), await call('b'), await call('bad a'), await call('a')]).toEqual([
      'a',
      'b',
      'refused bad a',
      'a',
    ]);
    expect(checks()).toBe(3);
  });

  it('is checked again where it may not hold any more', async () => {
    const { call, checks, holdNoMore } = start();
    expect(await call('a')).toBe('a');
    holdNoMore();
    expect(await call('a')).toBe('a');
    expect(checks()).toBe(2);
    expect(await Promise.all([call('a'), call('a')])).toEqual(['a', 'a']);
  });

  it('and refused is refused by a check of its own, each time', async () => {
    const { call, checks } = start();
    expect(await Promise.all([call('bad'), call('bad')])).toEqual(['refused bad', 'refused bad']);
    expect(checks()).toBe(1);
    expect(await call('bad')).toBe('refused bad');
    expect(checks()).toBe(2);
  });

  it('is forgotten when a thousand others came after it', async () => {
    const { call, checks } = start();
    await call('a');
    for (let n = 1; n < 1_000; n += 1) await call(`${n}`);
    await call('a');
    expect(checks()).toBe(1_000);
    await call('one more');
    await call('a');
    expect(checks()).toBe(1_002);
  });
});

import { describe, expect, it } from 'vitest';
import { summarizeNow } from '../../src/status/now.ts';
import type { NowParts } from '../../src/status/now-schemas.ts';

const AT = '2026-11-27T00:00:00.000Z';
const STATES = { Revoked: 0, Blocked: 0, NoAccess: 0, NotManaged: 0, Stale: 0, Unknown: 0, Serving: 13 };
const FLEET = {
  text: '13 accounts: 13 serving',
  listed: true,
  subscriptions: { listed: 2, all: 2 },
  accounts: 13,
  states: STATES,
  warnings: [] as string[],
};
const KEYS = {
  revoked: [],
  moreRevoked: 0,
  notBegun: [],
  moreNotBegun: 0,
  vaultsUnread: 0,
  keysUnread: 0,
  complete: true,
};
const COUNTS = { error: 0, warning: 0, advice: 2 };
const REPORT = {
  id: 'a',
  startedOn: AT,
  complete: true,
  counts: COUNTS,
  causes: [],
  changes: [],
  moreCauses: 0,
  exempt: 0,
};
const WELL: NowParts = {
  fleet: { readOn: AT, value: FLEET },
  keys: { readOn: AT, value: KEYS },
  pauses: { readOn: AT, value: [] },
  rotations: { readOn: AT, value: { underWay: [], moreUnderWay: 0 } },
  drift: { readOn: AT, value: { report: REPORT } },
};
const problem = (status: number) => ({
  problem: { type: '', title: '', status, detail: '', reason: 'ServiceUnavailable', nextStep: '' },
});
const judged = (changes: Partial<NowParts>) => summarizeNow({ ...WELL, ...changes });
const fleet = (changes: Partial<typeof FLEET>) => ({ fleet: { readOn: AT, value: { ...FLEET, ...changes } } });
const keys = (changes: object) => ({ keys: { readOn: AT, value: { ...KEYS, ...changes } } });
const drift = (report: object | undefined) => ({
  drift: { readOn: AT, value: report ? { report: { ...REPORT, ...report } } : {} },
});
const HELD = { reason: 'ContestedChange' };
const errors = (...reasons: readonly string[]) =>
  drift({
    counts: { ...COUNTS, error: reasons.length },
    causes: reasons.map((reason) => ({ reason, id: reason, about: [], severity: 'error' })),
  });
const rotations = (...states: ('stuck' | 'held' | 'unknown' | 'underWay')[]) => ({
  rotations: {
    readOn: AT,
    value: {
      underWay: states.map((state, index) => ({ key: `${index}`, state, ...(state === 'held' ? HELD : {}) })),
      moreUnderWay: 0,
    },
  },
});

describe('judgeNow', () => {
  it('judgeNow is good when every part was read and nothing is wrong', () => {
    expect(judged({})).toEqual({ tone: 'good', line: 'Healthy.' });
    expect(judged(rotations('underWay'))).toEqual({ tone: 'good', line: 'Healthy.' });
  });

  it.each([
    ['keys', keys({ moreRevoked: 1 }), '1 key is revoked'],
    ['accounts of keys that are not listed', fleet({ states: { ...STATES, Revoked: 2 } }), '2 accounts are revoked'],
    ['accounts that are blocked', fleet({ states: { ...STATES, Blocked: 1_200 } }), '1,200 accounts are blocked'],
    ['accounts without access', fleet({ states: { ...STATES, NoAccess: 1 } }), '1 account has no access to the key'],
    ['rotations that are stuck or held', rotations('stuck', 'held'), '2 rotations are stuck'],
    ['rotations that have not begun', keys({ notBegun: [{ key: 'a', state: 'held' }] }), '1 rotation is stuck'],
    ['errors of the check', drift({ counts: { ...COUNTS, error: 1 } }), '1 error in the last check'],
    [
      'an error that the number of accounts does not say',
      { ...fleet({ states: { ...STATES, NoAccess: 2 } }), ...errors('IdentityWithoutRole', 'KeyExpired') },
      '2 accounts have no access to the key, 1 error in the last check',
    ],
    [
      'a contested account, which holds its rotation',
      { ...errors('ContestedChange'), ...rotations('held') },
      '1 error in the last check',
    ],
  ] as const)('judgeNow is bad for %s', (_, changes, text) => {
    expect(judged(changes as Partial<NowParts>)).toEqual({ tone: 'bad', line: `${text}.` });
  });

  it.each([
    ['accounts behind', fleet({ states: { ...STATES, Stale: 2 } }), '2 accounts are behind'],
    ['accounts that are not listed yet', fleet({ listed: false, warnings: ['…'] }), 'not every account is known yet'],
    ['accounts that the index may not have yet', fleet({ warnings: ['…'] }), 'part of the fleet could not be read'],
    ['vaults that could not be listed', keys({ vaultsUnread: 1 }), '1 vault could not be listed'],
    ['keys that could not be read', keys({ keysUnread: 2 }), '2 keys could not be read'],
    ['keys that there was no time for', keys({ complete: false }), 'there was no time to read every key'],
    ['rotations that could not be read', rotations('unknown'), '1 rotation could not be read'],
    ['a check that is not complete', drift({ complete: false }), 'the last check could not read everything'],
    ['a check that is old', drift({ old: true }), 'no check since 2026-11-27T00:00Z, although one is due each hour'],
    ['a part that could not be read', { rotations: problem(503) }, 'the rotations could not be read'],
  ] as const)('judgeNow is warn for %s', (_, changes, text) => {
    expect(judged(changes as Partial<NowParts>)).toEqual({ tone: 'warn', line: `Needs attention: ${text}.` });
  });

  it('judgeNow is never good while a part has not been read, or before the first check', () => {
    const reading = { reading: true } as const;
    expect(judged({ keys: reading })).toEqual({ tone: 'none', line: 'Not everything has been read yet.' });
    expect(judged({ keys: reading, ...fleet({ states: { ...STATES, NoAccess: 1 } }) }).line).toBe(
      '1 account has no access to the key. Not everything has been read yet.',
    );
    expect(judged(drift(undefined))).toMatchObject({
      tone: 'none',
      line: expect.stringMatching(/^No check has run yet/),
    });
  });

  it('judgeNow ignores parts that the caller may not see, and says so', () => {
    const refused = problem(403);
    expect(judged({ drift: refused, rotations: refused })).toEqual({
      tone: 'good',
      line: 'Healthy, as far as you may see.',
    });
    expect(judged({ drift: refused, ...keys({ moreRevoked: 1 }) })).toMatchObject({ tone: 'bad' });
  });

  it('judgeNow names what could not be read beside what is wrong', () => {
    expect(judged({ drift: problem(503), ...keys({ moreRevoked: 1, vaultsUnread: 1 }) }).line).toBe(
      '1 key is revoked. Not all is known: 1 vault could not be listed, the last check could not be read.',
    );
  });
});

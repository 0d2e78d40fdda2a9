import { describe, expect, it } from 'vitest';
import { judgeNow, type Standing } from '../../page/src/views/judge-now.ts';

const STATES = { Revoked: 0, Blocked: 0, NoAccess: 0, NotManaged: 0, Stale: 0, Unknown: 0, Serving: 13 };
const WELL: Standing = {
  states: STATES,
  errors: 0,
  warnings: 0,
  revoked: 0,
  revokedBelow: 0,
  stuck: 0,
  isRefused: false,
  isUnchecked: false,
  gaps: [],
  isOld: false,
};
const judged = (changes: Partial<Standing>) => judgeNow({ ...WELL, ...changes });

describe('the one line', () => {
  it.each([
    [1, 'Not well: 1 account or scope is revoked by itself.'],
    [3, 'Not well: 3 accounts or scopes are revoked by themselves.'],
  ])('counts what is revoked below its key: %i', (revokedBelow, text) => {
    expect(judged({ revokedBelow })).toEqual({ tone: 'bad', text });
  });

  it('says that all is well when all of it was read, and nothing is wrong', () => {
    expect(judged({})).toEqual({ tone: 'good', text: 'All is well.' });
  });

  it.each([
    ['has not been read', { states: undefined }, 'none', 'Not everything has been read yet.'],
    ['was never checked', { errors: undefined, isUnchecked: true }, 'none', /^No drift check has run yet/],
    ['may not be seen', { states: undefined, isRefused: true }, 'none', /^You may not see/],
    ['could not be read again', { isOld: true }, 'warn', /^Not known: what was read last is old/],
    [
      'the app could not read',
      { gaps: ['1 vault could not be listed'] },
      'warn',
      'Worth a look: 1 vault could not be listed.',
    ],
    ['is behind', { states: { ...STATES, Stale: 2 } }, 'warn', 'Worth a look: 2 accounts are behind.'],
  ] as const)('never says so of what %s', (_, changes, tone, text) => {
    const found = judged(changes);
    expect(found.tone).toBe(tone);
    expect(found.text).toMatch(text);
  });

  it('says what is wrong also when it is old, and that it is', () => {
    expect(judged({ revoked: 1 }).text).toBe('Not well: 1 key is revoked.');
    expect(judged({ revoked: 1, isOld: true })).toMatchObject({
      tone: 'bad',
      text: expect.stringMatching(/^Not well: 1 key is revoked\. Some of this is old/),
    });
  });
});

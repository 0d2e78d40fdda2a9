import { describe, expect, it } from 'vitest';
import { headlineOf, mergeNow } from '../../page/src/views/now-seen.ts';

const AT = new Date('2026-11-27T00:01:00.000Z');
const READ = '2026-11-27T00:00:00.000Z';
const problem = { type: '', title: '', status: 503, detail: '', reason: 'ServiceUnavailable', nextStep: '' };
const REPORT = { drift: { readOn: READ, value: {} } };
const first = { line: 'Healthy.', tone: 'good', pauses: { readOn: READ, value: [] }, ...REPORT };
describe('what is known after an answer', () => {
  const known = mergeNow(undefined, first, AT);

  it('is what it says, each part as old as it is', () => {
    expect(known).toMatchObject({ line: 'Healthy.', tone: 'good' });
    expect(known.parts.pauses).toEqual({ value: [], readOn: new Date(READ), problem: undefined, isReading: false });
    expect(known.parts.fleet).toBeUndefined();
  });

  it('is as it was, found anew, where the answer leaves it out or is none', () => {
    const later = new Date('2026-11-27T00:02:00.000Z');
    const same = mergeNow(known, undefined, later);

    expect(same).toMatchObject({ line: 'Healthy.', parts: { pauses: { value: [], readOn: later } } });

    const partly = mergeNow(known, { line: '…', tone: 'bad', drift: { problem } }, later);
    expect(partly).toMatchObject({ line: '…', tone: 'bad' });
    expect(partly.parts.pauses).toMatchObject({ value: [], readOn: later });

    // That it could not be read makes nothing younger.
    expect(partly.parts.drift).toMatchObject({ value: {}, readOn: new Date(READ), problem });
    expect(mergeNow(partly, undefined, later).parts.drift).toEqual(partly.parts.drift);

    const recovered = mergeNow(partly, { ...first, ...REPORT }, later).parts.drift;
    expect(recovered).toMatchObject({ value: {}, problem: undefined });
  });

  it('stays while it is read again', () => {
    const reading = mergeNow(known, { ...first, pauses: { reading: true } }, AT);
    expect(reading.parts.pauses).toEqual({ value: [], readOn: new Date(READ), problem: undefined, isReading: true });
  });
});

describe('the line on top', () => {
  const good = mergeNow(undefined, first, AT);
  const heard = { isOld: false, isRefused: false };
  const old = { isOld: true, isRefused: false };

  it('is that of the app', () => {
    expect(headlineOf(good, heard)).toEqual({ line: 'Healthy.', tone: 'good' });
  });

  it('does not call an old answer healthy', () => {
    expect(headlineOf(good, old)).toMatchObject({ tone: 'warn', line: expect.stringMatching(/^Not known: .* old/) });
  });

  it('says what is wrong also when it is old, and that it is', () => {
    const bad = mergeNow(good, { line: '1 key is revoked.', tone: 'bad' }, AT);
    expect(headlineOf(bad, old)).toEqual({
      tone: 'bad',
      line: '1 key is revoked. This is old: it could not be read again.',
    });
  });

  it('says that nothing is known, or that the caller may not see it', () => {
    expect(headlineOf(undefined, heard).line).toBe('Not everything has been read yet.');
    expect(headlineOf(undefined, { ...old, isRefused: true }).line).toBe(
      'You are not allowed to see the state of the fleet.',
    );
  });
});

describe('the one cause behind the line', () => {
  const heard = { isOld: false, isRefused: false };

  const cause = (reason: string, accounts: number) => ({
    reason,
    accounts,
    severity: 'error',
    affected: accounts,
    about: ['/x/storageAccounts/stfiles01'],
    sample: ['/x/storageAccounts/stfiles01'],
  });

  const line = (causes: readonly object[], states: object, more = {}) => {
    const drift = { value: { report: { counts: { error: causes.length }, causes } } };
    const answer = { line: '1 error. Not all is known.', tone: 'bad', drift, fleet: { value: { states } }, ...more };
    return headlineOf(mergeNow(undefined, answer, AT), heard).line;
  };

  const LOCK = cause('ScopeLocked', 1);
  const LOCKED = 'A lock keeps the app from moving stfiles01 to the newest version of its key. Not all is known.';

  it('replaces the number', () => {
    expect(line([LOCK], { NoAccess: 0 })).toBe(LOCKED);
    expect(line([cause('IdentityWithoutRole', 2)], { NoAccess: 2 })).toMatch(
      / has no role on .*\. Not all is known\.$/,
    );
    const rotations = { value: { underWay: [{ state: 'held', reason: 'ContestedChange' }] } };
    expect(line([cause('ContestedChange', 1)], {}, { rotations })).toMatch(/^stfiles01 was set back/);
  });

  it('does not hide anything else', () => {
    expect(line([LOCK, LOCK], {})).toMatch(/^1 error/);
    expect(line([LOCK], { Blocked: 1 })).toMatch(/^1 error/);
    expect(line([cause('IdentityWithoutRole', 2)], { NoAccess: 3 })).toMatch(/^1 error/);
    expect(line([LOCK], {}, { rotations: { value: { underWay: [{ state: 'stuck' }] } } })).toMatch(/^1 error/);
    expect(line([LOCK], {}, { keys: { value: { revoked: [{}], moreRevoked: 0, notBegun: [] } } })).toMatch(/^1 error/);
  });
});

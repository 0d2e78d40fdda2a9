import { describe, expect, it } from 'vitest';
import { headlineOf, mergeNow } from '../../page/src/views/now-seen.ts';

const AT = new Date('2026-11-27T00:01:00.000Z');
const READ = '2026-11-27T00:00:00.000Z';
const problem = { type: '', title: '', status: 503, detail: '', reason: 'ServiceUnavailable', nextStep: '' };
const REPORT = { drift: { readOn: READ, value: {} } };
const first = { line: 'Healthy.', tone: 'good', pauses: { readOn: READ, value: [] }, ...REPORT };
describe('mergeNow', () => {
  const known = mergeNow(undefined, first, AT);

  it('An answer sets the headline and each part with the time at which it was read', () => {
    expect(known).toMatchObject({ line: 'Healthy.', tone: 'good' });
    expect(known.parts.pauses).toEqual({ value: [], readOn: new Date(READ), problem: undefined, isReading: false });
    expect(known.parts.fleet).toBeUndefined();
  });

  it('A part that an answer omits keeps its value, and a part that could not be read keeps its time', () => {
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

  it('A part keeps its value while it is read again', () => {
    const reading = mergeNow(known, { ...first, pauses: { reading: true } }, AT);
    expect(reading.parts.pauses).toEqual({ value: [], readOn: new Date(READ), problem: undefined, isReading: true });
  });
});

describe('the headline', () => {
  const good = mergeNow(undefined, first, AT);
  const heard = { isOld: false, isRefused: false };
  const old = { isOld: true, isRefused: false };

  it("The headline is that of the app's answer", () => {
    expect(headlineOf(good, heard)).toEqual({ line: 'Healthy.', tone: 'good' });
  });

  it('The headline does not call an old answer healthy', () => {
    expect(headlineOf(good, old)).toMatchObject({ tone: 'warn', line: expect.stringMatching(/^Not known: .* old/) });
  });

  it('The headline of an old answer with a problem shows the problem and that it is old', () => {
    const bad = mergeNow(good, { line: '1 key is revoked.', tone: 'bad' }, AT);
    expect(headlineOf(bad, old)).toEqual({
      tone: 'bad',
      line: '1 key is revoked. This is old: it could not be read again.',
    });
  });

  it('The headline tells that nothing has been read, or that the caller may not see it', () => {
    expect(headlineOf(undefined, heard).line).toBe('Not everything has been read yet.');
    expect(headlineOf(undefined, { ...old, isRefused: true }).line).toBe(
      'You are not allowed to see the state of the fleet.',
    );
  });
});

describe('the only cause behind the headline', () => {
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

  it('The headline shows the sentence of a single cause in place of the number', () => {
    expect(line([LOCK], { NoAccess: 0 })).toBe(LOCKED);
    expect(line([cause('IdentityWithoutRole', 2)], { NoAccess: 2 })).toMatch(
      / has no role on .*\. Not all is known\.$/,
    );
    const rotations = { value: { underWay: [{ state: 'held', reason: 'ContestedChange' }] } };
    expect(line([cause('ContestedChange', 1)], {}, { rotations })).toMatch(/^stfiles01 was set back/);
  });

  it('The headline shows the number if anything but one cause is wrong', () => {
    expect(line([LOCK, LOCK], {})).toMatch(/^1 error/);
    expect(line([LOCK], { Blocked: 1 })).toMatch(/^1 error/);
    expect(line([cause('IdentityWithoutRole', 2)], { NoAccess: 3 })).toMatch(/^1 error/);
    expect(line([LOCK], {}, { rotations: { value: { underWay: [{ state: 'stuck' }] } } })).toMatch(/^1 error/);
    expect(line([LOCK], {}, { keys: { value: { revoked: [{}], moreRevoked: 0, notBegun: [] } } })).toMatch(/^1 error/);
  });
});

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { RECORDED_A_MINUTE, RefusalLog, type RefusedCall } from '../../src/api/refusal-log.ts';
import type { LogRecord } from '../../src/errors/log.ts';

const ANONYMOUS: RefusedCall = { call: 'keyStatus', because: 'TokenInvalid', status: 401, message: 'No token.' };
const CALLER: RefusedCall = { ...ANONYMOUS, because: 'RoleMissing', status: 403, caller: 'carol', kind: 'person' };

let counted: LogRecord[];
let refusals: RefusalLog;

beforeEach(() => {
  vi.useFakeTimers();
  counted = [];
  refusals = new RefusalLog((record) => counted.push(record));
});
afterEach(() => vi.useRealTimers());

/** How many of so many refusals have a line of their own. */
function recorded(count: number, refusal: RefusedCall): number {
  const lines: LogRecord[] = [];
  for (let n = 0; n < count; n += 1) refusals.record(refusal, (record) => lines.push(record));
  return lines.length;
}

it('the first refusals of a flood are recorded one by one, and one line a minute counts the rest', () => {
  expect(recorded(1_000, ANONYMOUS)).toBe(RECORDED_A_MINUTE);
  vi.advanceTimersByTime(60_000);
  const { call, because, status } = ANONYMOUS;
  expect(counted).toEqual([
    expect.objectContaining({ level: 'warning', reason: 'CallsRefused', call, because, status, calls: 990 }),
  ]);
  expect(recorded(1, ANONYMOUS)).toBe(1);
  vi.advanceTimersByTime(120_000);
  expect(counted).toHaveLength(1);
});

it('a flood of one caller hides no refusal of another caller, of another call or for another reason', () => {
  recorded(1_000, CALLER);
  recorded(1_000, { ...ANONYMOUS, because: CALLER.because });
  expect(recorded(1, { ...CALLER, caller: 'dave' })).toBe(1);
  expect(recorded(1, { ...CALLER, call: 'revokeKey' })).toBe(1);
  expect(recorded(1, { ...CALLER, because: 'PersonNeeded' })).toBe(1);
  vi.advanceTimersByTime(60_000);
  expect(counted).toMatchObject([{ caller: 'carol', kind: 'person', calls: 990 }, { calls: 990 }]);
});

it('each failure of Azure in an authenticated call is recorded, since the call may have changed something', () => {
  expect(recorded(100, { ...CALLER, call: 'revokeKey', status: 503 })).toBe(100);
  expect(recorded(100, { ...ANONYMOUS, status: 503 })).toBe(RECORDED_A_MINUTE);
});

it('the counted refusals are written when the process ends', () => {
  recorded(50, CALLER);
  refusals.flush();
  refusals.flush();
  expect(counted).toMatchObject([{ calls: 40 }]);
});

import { expect, it, vi } from 'vitest';
import { DeadlineError } from '../../src/azure/deadline.ts';
import { createPartView, getPartContent } from '../../src/status/now.ts';

const readOn = new Date('2026-11-27T00:00:00.000Z');
const onUnexpected = vi.fn();
const telling = { correlationId: 'call-1', onUnexpected };

it('a part of an answer has its value with the time of the read', () => {
  const part = createPartView({ value: 1, readOn, ageMs: 0 }, (value) => value + 1, telling);
  expect(part).toEqual({ readOn: readOn.toISOString(), value: 2 });
  expect(getPartContent(part)).toEqual({ value: 2, reading: undefined });
});

it('a part that was not read in time says so', () => {
  const part = createPartView({ error: new DeadlineError('It could not be read', 90_000) }, () => 1, telling);
  expect(part).toMatchObject({ problem: { status: 503, reason: 'ServiceUnavailable' } });
  expect(getPartContent(part)).toEqual([503, 'ServiceUnavailable']);
});

it('a part that fails unexpectedly leaves the others intact, and names only where to look', () => {
  const error = new TypeError('secret');
  const fail = (): never => {
    throw error;
  };
  for (const part of [
    createPartView({ error }, () => 1, telling),
    createPartView({ value: 1, readOn, ageMs: 0 }, fail, telling),
  ]) {
    expect(part).toMatchObject({ problem: { status: 500, reason: 'Unexpected' } });
    expect(JSON.stringify(part)).toContain('call-1');
    expect(JSON.stringify(part)).not.toContain('secret');
  }

  expect(onUnexpected).toHaveBeenCalledTimes(2);
});

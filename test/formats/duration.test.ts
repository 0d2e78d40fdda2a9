import { describe, expect, it } from 'vitest';
import {
  addDuration,
  formatShortSpan,
  formatSpan,
  parseEvenDays,
  parseMoment,
  parseMomentAgo,
  shiftTime,
} from '../../src/formats/duration.ts';

const T = new Date('2024-01-31T12:00:00Z');

describe('a duration or date', () => {
  it.each([
    ['P2Y', '2026-01-31T12:00:00.000Z'],
    ['P1M', '2024-02-29T12:00:00.000Z'],
    ['P1Y1M', '2025-02-28T12:00:00.000Z'],
    ['P90D', '2024-04-30T12:00:00.000Z'],
    ['P2W', '2024-02-14T12:00:00.000Z'],
    ['PT36H', '2024-02-02T00:00:00.000Z'],
    ['P1DT1H1M1S', '2024-02-01T13:01:01.000Z'],
  ])('%s later is %s', (duration, later) => {
    expect(addDuration(T, duration).toISOString()).toBe(later);
  });

  it.each([
    ['P1M', '2023-12-31T12:00:00.000Z'],
    ['P2M', '2023-11-30T12:00:00.000Z'],
    ['P1Y11M', '2022-02-28T12:00:00.000Z'],
    ['P30D', '2024-01-01T12:00:00.000Z'],
  ])('%s earlier is %s', (duration, before) => {
    expect(shiftTime(T, duration, -1)?.toISOString()).toBe(before);
  });

  it.each([
    ['P2Y', 730],
    ['P1Y1M1W1D', 403],
    ['PT36H', 1.5],
    ['2Y', undefined],
  ])('%s is %s days on average', (duration, days) => {
    expect(parseEvenDays(duration)).toBe(days);
  });

  it.each(['', 'P', 'PT', '2Y', 'P2', 'P1.5Y', '-P1D', 'P1H', 'P999999Y'])('"%s" is not a duration', (text) => {
    expect(() => addDuration(T, text)).toThrow(/is not a duration/);
  });

  it.each([
    ['2028-06-30', '2028-06-30T00:00:00.000Z'],
    ['2028-06-30T12:00:00Z', '2028-06-30T12:00:00.000Z'],
    ['P1D', '2024-02-01T12:00:00.000Z'],
  ])('%s is a point in time', (text, moment) => {
    expect(parseMoment(text, T).toISOString()).toBe(moment);
  });

  it.each([
    'tomorrow',
    '30.06.2028',
    '2028-13-01',
    '2028-02-31',
    '2027-02-29',
    '2028-06-31T12:00:00Z',
    '2028-06-30T25:00:00Z',
  ])('"%s" is not a point in time', (text) => {
    expect(() => parseMoment(text, T)).toThrow(/neither a date nor a duration/);
  });

  it.each([
    ['2024-01-24T12:00', undefined],
    ['2024-01-24T12:00:00', undefined],
    ['2024-01-24T12:00:00Z', '2024-01-24T12:00:00.000Z'],
    ['2024-01-24T12:00+02:00', '2024-01-24T10:00:00.000Z'],
    ['2024-01-24', '2024-01-24T00:00:00.000Z'],
    ['P7D', '2024-01-24T12:00:00.000Z'],
  ])('a past date and time needs a zone: "%s"', (text, moment) => {
    expect(parseMomentAgo(text, T)?.toISOString()).toBe(moment);
  });

  it.each([
    [-56, '0 seconds', '0s'],
    [1, '1 second', '1s'],
    [600, '10 minutes', '10m'],
    [7_200, '2 hours', '2h'],
    [864_000, '10 days', '10d'],
  ])('%i s are printed as %s', (seconds, words, short) => {
    expect(formatSpan(seconds)).toBe(words);
    expect(formatShortSpan(seconds)).toBe(short);
  });
});

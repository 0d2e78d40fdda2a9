import { describe, expect, it } from 'vitest';
import { parseNcrontab } from '../../local/host/ncrontab.ts';

const occurrence = (expression: string, time: string) => parseNcrontab(expression).next(new Date(time))?.toISOString();

describe('the next occurrence', () => {
  it.each([
    ['every second', '* * * * * *', '2030-01-01T00:00:00.500Z', '2030-01-01T00:00:01.000Z'],
    ['each hour, but not the given moment', '0 0 * * * *', '2030-01-01T05:00:00Z', '2030-01-01T06:00:00.000Z'],
    ['every five minutes', '0 */5 * * * *', '2030-01-01T00:03:00Z', '2030-01-01T00:05:00.000Z'],
    ['half past each hour of a range', '0 30 9-17 * * *', '2030-01-01T17:30:00Z', '2030-01-02T09:30:00.000Z'],
    ['a list', '0 0 6,18 * * *', '2030-01-01T07:00:00Z', '2030-01-01T18:00:00.000Z'],
    ['weekdays by name', '0 0 6 * * Mon-Fri', '2030-01-04T07:00:00Z', '2030-01-07T06:00:00.000Z'],
    ['a month by name', '0 0 0 1 FEB *', '2030-01-04T07:00:00Z', '2030-02-01T00:00:00.000Z'],
    ['a start and a step', '0 5/20 * * * *', '2030-01-01T00:06:00Z', '2030-01-01T00:25:00.000Z'],
    ['five fields, which mean second 0', '*/15 * * * *', '2030-01-01T00:01:30Z', '2030-01-01T00:15:00.000Z'],
    ['29 February', '0 0 0 29 2 *', '2030-01-01T00:00:00Z', '2032-02-29T00:00:00.000Z'],
    [
      'a day and a day of the week, which must both match',
      '0 0 0 13 * 5',
      '2030-01-01T00:00:00Z',
      '2030-09-13T00:00:00.000Z',
    ],
    ['the turn of the year', '59 59 23 31 12 *', '2030-12-31T23:59:59Z', '2031-12-31T23:59:59.000Z'],
  ])('An NCRONTAB expression yields the next occurrence: %s', (_what, expression, time, expected) => {
    expect(occurrence(expression, time)).toBe(expected);
  });
});

it.each([
  ['', 'must have six fields'],
  ['* * * *', 'must have six fields'],
  ['60 * * * * *', 'second "60" is not from 0 to 59'],
  ['0 0 24 * * *', 'hour "24"'],
  ['0 0 0 0 * *', 'day "0"'],
  ['0 0 0 1 Foo *', 'month "Foo"'],
  ['0 0 0 * * Fri-Mon', 'day of week "Fri-Mon" runs backwards'],
  ['*/0 * * * * *', 'second "*/0" has a step of 0'],
  ['0 ? * * * *', 'minute "?" is not understood'],
])('The host rejects the NCRONTAB expression %j', (expression, message) => {
  expect(() => parseNcrontab(expression)).toThrow(message);
});

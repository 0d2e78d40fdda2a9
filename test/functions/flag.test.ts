import { describe, expect, it } from 'vitest';
import { flag } from '../../src/functions/flag.ts';

const read = (query: string): boolean => flag(new URLSearchParams(query), 'dryRun');

describe('a query parameter that is on or off', () => {
  it.each([
    ['', false],
    ['dryRun=false', false],
    ['dryRun=true', true],
  ])('of "%s" is %s', (query, value) => {
    expect(read(query)).toBe(value);
  });

  it.each([
    'dryRun=yes',
    'dryRun',
    'dryrun=true',
    // What it asks for cannot be told, and must not turn into the real thing.
    'dryRun=false&dryRun=true',
    'dryRun=true&dryRun=true',
  ])('of "%s" is refused', (query) => {
    expect(() => read(query)).toThrow(expect.objectContaining({ status: 400, reason: 'QueryInvalid' }));
  });
});

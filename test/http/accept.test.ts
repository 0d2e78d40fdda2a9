import { describe, expect, it } from 'vitest';
import { prefers } from '../../src/http/answers.ts';

describe('a media type', () => {
  it.each([
    ['text/csv,application/json;q=0.9,*/*;q=0.8', true],
    ['text/csv', true],
    ['application/json', false],
    ['*/*', false],
    ['', false],
    ['application/json, text/csv;q=0.5', false],
    ['text/csv;q=0', false],
  ])('is preferred to JSON by %j: %s', (accept, isPreferred) => {
    expect(prefers(accept, 'text/csv')).toBe(isPreferred);
  });
});

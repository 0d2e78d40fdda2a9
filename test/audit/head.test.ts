import { expect, it } from 'vitest';
import { mayFollow } from '../../src/audit/chain-writer.ts';

it.each([
  ['2026-11-26.1.jsonl', true],
  // A writer's clock may be ahead.
  ['2026-11-27.jsonl', true],
  ['2026-11-28.jsonl', false],
  ['2026-11-26.jsonl', false],
  ['2026-11-25.jsonl', false],
  ['2026-11-26.99999.jsonl', true],
  ['2026-11-26.100000.jsonl', false],
  ['elsewhere.jsonl', false],
])('the chain may go on from today in %s: %s', (next, may) => {
  expect(mayFollow(next, '2026-11-26.jsonl', '2026-11-26')).toBe(may);
});

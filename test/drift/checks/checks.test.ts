import { expect, it } from 'vitest';
import { ALL_CHECKS } from '../../../src/drift/checks/checks.ts';
import { REASONS } from '../../../src/errors/reasons.ts';

it('the tables of checks have each reason once, with its promise and its next step', () => {
  const reasons = ALL_CHECKS.map(({ reason }) => reason);
  expect(new Set(reasons).size).toBe(reasons.length);
  for (const { reason, ensures, fix } of ALL_CHECKS) {
    expect(REASONS[reason]).toBeDefined();
    expect(ensures).toMatch(/^[A-Z].*[.)]$/);
    expect(fix).toMatch(/^[A-Z].*\.$/);
  }
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isDelivered, isFinal, retryDelayMs } from '../../../local/azure/event-grid/retry-policy.ts';

const status = fc.option(fc.integer({ min: 200, max: 599 }), { nil: undefined });
const endpointType = fc.constantFrom('AzureFunction', 'WebHook');

describe('the retry policy', () => {
  it('never waits less than 10 s nor more than 12 h, and never less after more failures', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), status, endpointType, (failures, answer, type) => {
        const wait = retryDelayMs(failures, answer, type);
        expect(wait).toBeGreaterThanOrEqual(10_000);
        expect(wait).toBeLessThanOrEqual(12 * 3_600_000);
        expect(retryDelayMs(failures + 1, answer, type)).toBeGreaterThanOrEqual(wait);
      }),
    );
  });

  it('takes no status as both success and a reason to give up', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 599 }), endpointType, (answer, type) => {
        expect(isDelivered(answer) && isFinal(answer, type)).toBe(false);
      }),
    );
  });
});

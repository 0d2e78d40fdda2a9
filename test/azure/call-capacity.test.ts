import { describe, expect, it } from 'vitest';
import { CallCapacity } from '../../src/azure/call-capacity.ts';

function fail(capacity: CallCapacity, region: string, times: number, nowMs: number): void {
  for (let n = 0; n < times; n += 1) {
    capacity.begin(region);
    capacity.end(region, false, nowMs);
  }
}

describe('CallCapacity', () => {
  it('CallCapacity admits 512 calls in flight over all regions', () => {
    const capacity = new CallCapacity();
    for (let n = 0; n < 512; n += 1) capacity.begin(n % 2 === 0 ? 'westeurope' : 'northeurope');
    expect(capacity.waitMs('westeurope', 0)).toBeGreaterThan(0);
    capacity.end('northeurope', true, 0);
    expect(capacity.waitMs('westeurope', 0)).toBe(0);
  });

  it('CallCapacity blocks a region, and no other, for half a minute after five failures in a row', () => {
    const capacity = new CallCapacity();
    fail(capacity, 'westeurope', 4, 0);
    expect(capacity.waitMs('westeurope', 0)).toBe(0);
    fail(capacity, 'westeurope', 1, 0);
    expect(capacity.waitMs('westeurope', 0)).toBe(30_000);
    expect(capacity.waitMs('northeurope', 0)).toBe(0);
  });

  it('CallCapacity admits one probe after a pause, and doubles the pause up to five minutes when the probe fails', () => {
    const capacity = new CallCapacity();

    fail(capacity, 'westeurope', 5, 0);

    let nowMs = 30_000;

    for (const breakMs of [60_000, 120_000, 240_000, 300_000, 300_000]) {
      expect(capacity.waitMs('westeurope', nowMs)).toBe(0);

      capacity.begin('westeurope');

      expect(capacity.waitMs('westeurope', nowMs)).toBeGreaterThan(0);

      capacity.end('westeurope', false, nowMs);

      expect(capacity.waitMs('westeurope', nowMs)).toBe(breakMs);

      nowMs += breakMs;
    }

    capacity.begin('westeurope');
    capacity.end('westeurope', true, nowMs);

    expect(capacity.waitMs('westeurope', nowMs)).toBe(0);
  });
});

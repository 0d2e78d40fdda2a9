import type { RekeyOrder } from '../../src/fleet/rekey-order.ts';
import { day, KEY, VAULT } from './keys.ts';

/** An order that stands since day 100 of 2026, changed as told. */
export function rekeyOrder(change: Partial<RekeyOrder> = {}): RekeyOrder {
  return {
    id: 'order-1',
    from: KEY.id,
    to: `${VAULT.uri}/keys/new-key`,
    reason: 'a test',
    by: { objectId: '33333333-3333-3333-3333-333333333333', appId: 'app' },
    startedOn: day(100).toISOString(),
    state: 'moving',
    maxFailures: 3,
    tick: 7,
    tickedOn: day(100).toISOString(),
    etag: '1',
    ...change,
  };
}

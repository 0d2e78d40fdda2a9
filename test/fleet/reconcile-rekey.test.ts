import { expect, it } from 'vitest';
import { createFleetIndex } from '../../src/fleet/fleet-index.ts';
import { findGaps } from '../../src/fleet/reconcile-rekey.ts';
import type { Rekey } from '../../src/orders/standing-orders.ts';
import { SUBSCRIPTION } from '../support/keys.ts';
import { MemoryFleetTable } from '../support/memory-fleet-table.ts';
import { MemoryWorkItems } from '../support/memory-work-items.ts';

const START = new Date('2026-11-29T12:00:00.000Z');
const NOW = new Date(START.getTime() + 600_000);
const CAUSE = { by: 'takeover', ref: '', since: START.toISOString() };

it('An order has a gap until what a worker that died had in flight is verified', async () => {
  const items = new MemoryWorkItems();
  const fleet = createFleetIndex(new MemoryFleetTable().port());
  await fleet.listed(SUBSCRIPTION, NOW);
  const find = () =>
    findGaps({ id: 'back', startedOn: START.toISOString() } as Rekey, START, {
      ...{ items: items.port(), fleet, inSight: async () => [SUBSCRIPTION], now: () => NOW, send: async () => {} },
    });
  const verify = {
    subscription: SUBSCRIPTION,
    kind: 'verify',
    about: '',
    due: NOW,
    since: START,
    cause: CAUSE,
  } as const;
  items.put(verify);
  expect(await find()).toEqual([
    `A worker of subscription ${SUBSCRIPTION} died. Its last PATCHes are not verified yet.`,
  ]);
  const [item] = items.all;
  if (item) await items.port().finish(item);
  expect(await find()).toEqual([]);
});

import { expect, it } from 'vitest';
import { findGaps, verifyRekey } from '../../src/controller/reconcile-rekey.ts';
import { createFleetIndex } from '../../src/index/fleet-index.ts';
import { NO_ROLLOUT } from '../../src/index/rollout-row.ts';
import type { Rekey } from '../../src/orders/standing-orders.ts';
import { KEY, keyVersion, SUBSCRIPTION } from '../support/keys.ts';
import { MemoryFleetTable } from '../support/memory-fleet-table.ts';
import { MemoryWorkItems } from '../support/memory-work-items.ts';
import { Fleet, OTHER } from './fleet.ts';

const START = new Date('2026-11-29T12:00:00.000Z');
const NOW = new Date(START.getTime() + 600_000);
const CAUSE = { by: 'takeover', ref: '', since: START.toISOString() };

it('An order has a gap until the in-flight writes of a worker that died are verified', async () => {
  const items = new MemoryWorkItems();
  const fleet = createFleetIndex(new MemoryFleetTable().port());

  await fleet.listed(SUBSCRIPTION, NOW);

  const find = () =>
    findGaps({ id: 'back', startedOn: START.toISOString() } as Rekey, START, {
      items: items.port(),
      fleet,
      inSight: async () => [SUBSCRIPTION],
      now: () => NOW,
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

  expect((await find()).gaps).toEqual([
    `A worker of subscription ${SUBSCRIPTION} died. Its last PATCHes are not verified yet.`,
  ]);

  const [item] = items.all;
  if (item) await items.port().finish(item);

  expect((await find()).gaps).toEqual([]);
});

it('An order names twenty of its gaps, and the number of the others', async () => {
  const fleet = new Fleet();
  const subscriptions = Array.from({ length: 100 }, (_, n) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`);
  const ports = { ...fleet.ports(), inSight: async () => subscriptions };
  const by = { objectId: 'operator' };
  const keys = { from: KEY.id, to: OTHER };
  const rekey: Rekey = {
    id: 'rekey-1',
    ...keys,
    state: 'active',
    maxFailures: 3,
    reason: 'test',
    by,
    startedOn: START.toISOString(),
  };

  await ports.orders.change((orders) => ({ ...orders, rekeys: [rekey] }));

  const counts = { moved: 1, waiting: 0, failed: 0, left: 0 };
  const row = { ...NO_ROLLOUT, progressOn: START.toISOString() };
  const decision = { row, counts, needsProof: false, news: undefined, isWider: false, subscriptions: [] };
  const open = { rekey, target: keyVersion(1), covers: () => true };

  expect(await verifyRekey(open, decision, CAUSE, ports)).toMatchObject({ isDone: false });

  const [{ verified } = rekey] = (await ports.orders.read()).rekeys;
  expect(verified?.gaps).toHaveLength(21);
  expect(verified?.gaps.at(-1)).toBe('80 gaps more, which the order does not name.');
});

import { expect, it } from 'vitest';
import { sweepWork } from '../../src/fleet/fleet-work.ts';
import { NO_SUBSCRIPTION } from '../../src/fleet/work-items.ts';
import { NO_ORDERS, type StandingOrders } from '../../src/orders/standing-orders.ts';
import { KEY, SUBSCRIPTION } from '../support/keys.ts';
import { MemoryWorkItems } from '../support/memory-work-items.ts';

const NOW = new Date('2026-11-29T12:00:00.000Z');
const LATER = new Date(NOW.getTime() + 50 * 60_000);
const ACCOUNT = `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st1`;
const by = { objectId: 'operator' };
const pause = { id: 'pause', reason: 'a test', by, since: NOW.toISOString() };
const contest = { id: 'contest', account: ACCOUNT, since: NOW.toISOString(), until: LATER.toISOString(), by };

/** Sweeps work that waits with that reason, by those orders. @returns what is sent, and what is due by then */
async function sweep(reason: 'Paused' | 'ContestedChange' | 'VaultUnreadable', orders: StandingOrders) {
  const items = new MemoryWorkItems();
  const cause = { by: 'KeyNewVersionCreated', ref: '', since: NOW.toISOString() };
  const item = { kind: 'key', about: KEY.id, due: LATER, since: NOW, cause, reason } as const;
  for (const subscription of [NO_SUBSCRIPTION, SUBSCRIPTION]) items.put({ subscription, ...item });
  const sent: string[] = [];
  const overdue = await sweepWork({
    ...{ items: items.port(), now: () => NOW, orders: { read: async () => orders } },
    rollouts: { all: async function* () {} },
    send: async ({ subscriptions }) => void sent.push(...subscriptions),
    sendKey: async (key) => void sent.push(key),
  });
  expect(overdue).toBe(0);
  return { sent: sent.sort(), due: items.all.filter(({ due }) => due <= NOW).length };
}

// The process that resumed or released may have died before it put new work items, or may not reach them.
it.each(['Paused', 'ContestedChange'] as const)(
  'A sweep resumes what waits (%s) once its order has ended',
  async (reason) => {
    expect(await sweep(reason, NO_ORDERS)).toEqual({ sent: [SUBSCRIPTION, KEY.id].sort(), due: 2 });
  },
);

it('A sweep leaves what a pause or a contest still holds, or what waits for another reason', async () => {
  const none = { sent: [], due: 0 };
  expect(await sweep('Paused', { ...NO_ORDERS, pauses: [pause] })).toEqual(none);
  expect(await sweep('Paused', { ...NO_ORDERS, pauses: [{ ...pause, key: KEY.id }] })).toEqual(none);
  const to = 'https://kv-files.vault.azure.net/keys/other-key';
  const rekey = { id: 'rekey', from: KEY.id, to, maxFailures: 3, reason: 'a test', by, state: 'active' } as const;
  const rekeys = [{ ...rekey, startedOn: NOW.toISOString() }];
  expect(await sweep('Paused', { ...NO_ORDERS, rekeys, pauses: [{ ...pause, key: to }] })).toEqual(none);
  expect(await sweep('ContestedChange', { ...NO_ORDERS, contests: [contest] })).toMatchObject({ due: 1 });
  expect(await sweep('VaultUnreadable', NO_ORDERS)).toEqual(none);
});

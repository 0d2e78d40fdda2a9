import { beforeEach, describe, expect, it } from 'vitest';
import type { AuditEntry } from '../../src/audit/record.ts';
import { changeRekey, type RekeyOrderPorts, startRekey } from '../../src/controller/order-rekey.ts';
import type { Rekey } from '../../src/orders/standing-orders.ts';
import { day, KEY } from '../support/keys.ts';
import { MemoryOrders } from './memory-orders.ts';

const OTHER = `${KEY.vault.uri}/keys/other-key`;
const THIRD = `${KEY.vault.uri}/keys/third-key`;
const call = { caller: { objectId: 'alice', appId: 'az', kind: 'person' } as const, correlationId: 'call-1' };
const request = { from: KEY.id, to: OTHER, maxFailures: 3 };

let store: MemoryOrders;
let audited: AuditEntry[];
let requested: (readonly string[])[];
let ids: number;
let ports: RekeyOrderPorts;

beforeEach(() => {
  store = new MemoryOrders();
  audited = [];
  requested = [];
  ids = 0;

  const now = () => day(10);
  ports = {
    orderStore: store,
    now,
    newId: () => {
      ids += 1;
      return `r${ids}`;
    },
    requestKeys: async (keys) => {
      requested.push(keys);
    },
    audit: async (entry) => {
      audited.push(entry);
      return { written: { file: 'f', seq: 1, hash: 'h' } };
    },
  };
});
const start = (change: Partial<typeof request> = {}) =>
  startRekey({ ...request, ...change }, { ...call, reason: 'It has leaked', ticket: 'INC-1' }, ports, () => {});
const act = (id: string, what: 'pause' | 'resume' | 'rollBack' | 'end', correlationId = 'call-2') =>
  changeRekey(id, what, { ...call, correlationId, reason: 'a reason' }, ports, () => {});
const inState = async (state: Rekey['state']) => {
  const { id } = await start();
  store.orders = { ...store.orders, rekeys: store.orders.rekeys.map((rekey) => ({ ...rekey, state })) };
  return id;
};

describe('A re-key', () => {
  it('A re-key starts active, is recorded, and has both keys reconciled', async () => {
    const rekey = await start();
    expect(rekey).toMatchObject({ id: 'r1', state: 'active', by: { objectId: 'alice', appId: 'az' } });
    expect(store.orders).toMatchObject({ rekeys: [rekey], unrecorded: [] });

    expect(audited).toMatchObject([
      {
        id: 'key.rekey/r1/RekeyStarted/call-1',
        action: 'key.rekey',
        reason: 'RekeyStarted',
        resource: KEY.id,
        details: { rekey: 'r1', from: KEY.id, to: OTHER, why: 'It has leaked', ticket: 'INC-1' },
      },
    ]);

    expect(requested).toEqual([[KEY.id, OTHER]]);
  });

  it('A re-key is stored once when the answer to its write is lost', async () => {
    store.lostAnswers = 1;
    await start();
    expect(store.orders.rekeys).toHaveLength(1);
  });

  it.each([
    ['from the same key', { to: THIRD }],
    ['onto its target', { from: THIRD }],
    ['the other way round', { from: OTHER, to: KEY.id }],
  ])('A re-key does not start beside an open re-key %s', async (_, change) => {
    await start();
    await expect(start(change)).rejects.toMatchObject({ reason: 'RekeyConflict' });
  });

  it('An operator pauses and resumes a re-key, and the failed uses are retried', async () => {
    const { id } = await start();
    expect(await act(id, 'pause')).toMatchObject({ state: 'paused', paused: { why: 'a reason' } });
    const resumed = await act(id, 'resume', 'call-3');
    expect(resumed).toMatchObject({ state: 'active', resumedOn: day(10).toISOString() });
    expect(resumed.paused).toBeUndefined();
    expect(audited.map(({ reason }) => reason)).toEqual(['RekeyStarted', 'RekeyPaused', 'RekeyResumed']);
  });

  it.each(['active', 'verifying', 'paused', 'stopped', 'done', 'ended'] as const)(
    'A re-key that is %s is rolled back by a new order that covers only what it moved',
    async (state) => {
      const id = await inState(state);
      expect(await act(id, 'rollBack')).toMatchObject({ from: OTHER, to: KEY.id, only: id, state: 'active' });
      expect(store.orders.rekeys[0]?.state).toBe(state === 'done' ? 'done' : 'ended');
    },
  );

  it('A re-key is not rolled back while another open order uses either of its keys', async () => {
    const id = await inState('done');
    await start({ from: OTHER, to: THIRD });
    await expect(act(id, 'rollBack')).rejects.toMatchObject({ reason: 'RekeyConflict' });
    expect(store.orders.rekeys).toHaveLength(2);
  });

  it.each([
    ['pause', 'paused'],
    ['pause', 'done'],
    ['resume', 'active'],
    ['resume', 'ended'],
    ['end', 'done'],
    ['end', 'ended'],
  ] as const)('The order to %s is rejected for a re-key that is %s', async (what, state) => {
    await expect(act(await inState(state), what)).rejects.toMatchObject({ reason: 'RekeyNotPossible' });
  });

  it('A re-key that does not exist is reported as RekeyNotFound', async () => {
    await expect(act('r9', 'pause')).rejects.toMatchObject({ reason: 'RekeyNotFound' });
  });
});

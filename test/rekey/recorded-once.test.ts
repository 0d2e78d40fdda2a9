import { describe, expect, it } from 'vitest';
import type { RekeyOrder } from '../../src/fleet/rekey-order.ts';
import type { Keys } from '../../src/keys/key-client.ts';
import { managedKey } from '../../src/keys/managed-vaults.ts';
import { carryOutRekey, type RekeyServices } from '../../src/rekey/carry-out.ts';
import { changeRekey, type RekeyChange } from '../../src/rekey/control-rekey.ts';
import { startRekey } from '../../src/rekey/start-rekey.ts';
import type { RekeyWork, Work } from '../../src/work/messages.ts';
import { MemoryAudit } from '../simulation/memory-audit.ts';
import type { Way } from '../simulation/memory-vault.ts';
import { dying } from '../support/dying.ts';
import { day, KEY, keyVersion, VAULT, VAULTS } from '../support/keys.ts';
import { MemoryRekeys } from '../support/memory-rekeys.ts';
import { rekeyOrder } from '../support/rekeys.ts';

// What is done to a re-key is on record although whoever did it was killed before it was, at any call that it makes. It may be
// there twice, under one id.

const now = day(101);
const CALL = { caller: { objectId: 'o', appId: 'a', kind: 'person' }, correlationId: 'c' } as const;
const paused = { on: day(100).toISOString(), why: 'three accounts failed' };
const byPerson = { ...paused, by: { objectId: 'o', appId: 'a' } };

class Orders {
  readonly store = new MemoryRekeys();
  readonly audit = new MemoryAudit();
  readonly queue: RekeyWork[] = [];
  isAuditDown = false;

  ports(way: Way = async (_, effect) => effect()) {
    return {
      rekeys: this.store.port(way),
      audit: this.audit.port((label, effect, writes) => {
        if (this.isAuditDown) return Promise.reject(new Error('no answer'));
        return way(label, effect, writes);
      }),
      queue: {
        send: (_queue: string, work: Work) => way('send', () => void (work.kind === 'rekey' && this.queue.push(work))),
      },
      now: () => now,
      newId: () => 'order-1',
      check: async () => ({ problems: [], warnings: [], accounts: 0, withoutRole: [] }),
      keys: { listVersions: async () => [keyVersion(1)] } as unknown as Keys,
      vaults: VAULTS,
    };
  }

  /** What is in the queue, in turn; nothing moves, as the app is paused. */
  async carryOut(): Promise<string[]> {
    const services = {
      ...this.ports(),
      settings: { vaults: VAULTS },
      rollout: { paused: async () => ({ reason: 'Paused', detail: '', delaySeconds: 60 }) },
      leases: { acquire: async () => ({ release: async () => {} }) },
    } as unknown as RekeyServices;
    const outcomes: string[] = [];
    for (const work of this.queue.splice(0)) outcomes.push((await carryOutRekey(work, services, () => {})).outcome);
    return outcomes;
  }

  expectRecorded(): void {
    const told = new Map(this.audit.entries.map(({ id, reason, details }) => [id, `${details?.rekey} ${reason}`]));
    expect([...told.values()]).toEqual(this.store.changes.map(({ id, reason }) => `${id} ${reason}`));
    expect(this.store.orders.filter(({ unrecorded }) => unrecorded)).toEqual([]);
  }
}

const CALLS = Array.from({ length: 10 }, (_, at) => at);
const CHANGES: readonly (readonly [RekeyChange, Partial<RekeyOrder>])[] = [
  ['pause', {}],
  ['pause', { paused }],
  ['resume', { paused: byPerson }],
  ['takeBack', {}],
  ['takeBack', { state: 'done' }],
  ['takeBack', { paused: byPerson }],
  ['end', { state: 'takingBack' }],
  ['end', { paused }],
];

describe.each([false, true])('whoever is killed at a call, after it took effect: %s', (isAfter) => {
  it.each(CHANGES)('%s, when it is %o', async (what, order) => {
    let changed = 0;
    for (const at of CALLS) {
      const orders = new Orders();
      orders.store.has(rekeyOrder(order));
      const { way, died } = dying(at, isAfter);
      await Promise.race([changeRekey('order-1', what, 'why', CALL, orders.ports(way), () => {}), died]);
      changed += orders.store.changes.length;
      // What is not begun is sent again by nobody.
      if (orders.store.changes.length > 0) expect(orders.queue.length).toBeGreaterThan(0);
      await orders.carryOut();
      orders.expectRecorded();
      const [entry] = orders.audit.entries;
      if (entry)
        expect(entry).toMatchObject({ caller: { ...CALL.caller }, correlationId: 'c', details: { why: 'why' } });
    }
    expect(changed).toBeGreaterThan(3);
  });

  it('a start', async () => {
    let started = 0;
    for (const at of CALLS) {
      const orders = new Orders();
      const { way, died } = dying(at, isAfter);
      const to = managedKey(VAULT, 'new-key');
      const request = { from: KEY, to, reason: 'why', ticket: undefined, maxFailures: 3 };
      await Promise.race([startRekey(request, CALL, orders.ports(way), () => {}), died]);
      started += orders.store.changes.length;
      await orders.carryOut();
      orders.expectRecorded();
    }
    expect(started).toBeGreaterThan(3);
  });
});

describe('an audit trail that does not answer', () => {
  it.each(['pause', 'end'] as const)('has it recorded as soon as it does: %s', async (what) => {
    const orders = new Orders();
    orders.store.has(rekeyOrder());
    orders.isAuditDown = true;
    await changeRekey('order-1', what, 'why', CALL, orders.ports(), () => {});
    const [message] = orders.queue;
    // Nothing moves any more, and so no other step comes: this one stays.
    expect(await orders.carryOut()).toEqual(['retry']);
    orders.isAuditDown = false;
    if (message) orders.queue.push(message);
    expect(await orders.carryOut()).toEqual(['done']);
    orders.expectRecorded();
  });

  it('lets an order be stopped, and not be set going again without end', async () => {
    const orders = new Orders();
    orders.store.has(rekeyOrder());
    orders.isAuditDown = true;
    const change = (what: RekeyChange) => changeRekey('order-1', what, 'why', CALL, orders.ports(), () => {});
    for (let n = 0; n < 5; n += 1) {
      await change('pause');
      await change('resume');
    }
    await change('pause');
    await expect(change('resume')).rejects.toMatchObject({ reason: 'AuditFailed' });
    await change('end');
    orders.isAuditDown = false;
    await orders.carryOut();
    orders.expectRecorded();
  });
});

it('says of what a later step has found in the row that it has', async () => {
  const own = new Orders();
  own.store.has(rekeyOrder());
  await changeRekey('order-1', 'pause', 'why', CALL, own.ports(), () => {});
  expect(own.audit.entries).toMatchObject([{ reason: 'RekeyPaused' }]);
  expect(own.audit.entries[0]?.details).not.toHaveProperty('foundIn');
  const { way, died } = dying(3, false);
  await Promise.race([changeRekey('order-1', 'resume', 'why', CALL, own.ports(way), () => {}), died]);
  await own.carryOut();
  expect(own.audit.entries[1]).toMatchObject({ reason: 'RekeyResumed', details: { foundIn: 'cmkrekeys' } });
});

it('two that record the same at the same moment write it under one id', async () => {
  const orders = new Orders();
  orders.store.has(rekeyOrder());
  const { way, died } = dying(4, false);
  await Promise.race([changeRekey('order-1', 'pause', 'why', CALL, orders.ports(way), () => {}), died]);
  orders.queue.push(...orders.queue);
  await Promise.all([orders.carryOut(), orders.carryOut()]);
  await orders.carryOut();
  orders.expectRecorded();
});

import { describe, expect, it } from 'vitest';
import { isEnded } from '../../src/fleet/rekey-order.ts';
import type { Keys } from '../../src/keys/key-client.ts';
import { type ManagedKey, ManagedVaults } from '../../src/keys/managed-vaults.ts';
import { changeRekey } from '../../src/rekey/control-rekey.ts';
import { startRekey } from '../../src/rekey/start-rekey.ts';
import { day, KEY, keyVersion, VAULT } from '../support/keys.ts';
import { MemoryRekeys } from '../support/memory-rekeys.ts';
import { rekeyOrder } from '../support/rekeys.ts';

// A key takes part in one order at a time, from or to, until that has ended: whoever comes at the same moment is refused.

const now = day(101);
const CALL = { caller: { objectId: 'o', appId: 'a' }, correlationId: 'c' };
const key = (name: string): ManagedKey => ({ ...KEY, name, id: `${VAULT.uri}/keys/${name}` });
const [A, B, C, D] = ['a', 'b', 'c', 'd'].map(key) as [ManagedKey, ManagedKey, ManagedKey, ManagedKey];
const FIT = { problems: [], warnings: [], accounts: 0, withoutRole: [] };

type Way = NonNullable<Parameters<MemoryRekeys['port']>[0]>;

class Orders {
  readonly store = new MemoryRekeys();
  now = now;
  #ids = 0;

  services(way?: Way) {
    return {
      rekeys: this.store.port(way),
      audit: async () => ({ written: { file: 'trail', seq: 1, hash: '' } }),
      queue: { send: async () => {} },
      now: () => this.now,
      newId: () => {
        this.#ids += 1;
        return `id-${this.#ids}`;
      },
      check: async () => FIT,
      keys: { listVersions: async () => [keyVersion(1)] } as unknown as Keys,
      vaults: new ManagedVaults([VAULT]),
    };
  }

  start(from: ManagedKey, to: ManagedKey, way?: Way) {
    const request = { from, to, reason: 'why', ticket: undefined, maxFailures: 3 };
    return startRekey(request, CALL, this.services(way), () => {});
  }

  takeBack(id: string, way?: Way, call = CALL) {
    return changeRekey(id, 'takeBack', 'why', call, this.services(way), () => {});
  }

  get standing() {
    return this.store.orders.filter((order) => !isEnded(order)).map(({ id }) => id);
  }
}

/** Before the call of that number, counted from 0, the other does all of what it does. */
function meanwhile(at: number, other: () => Promise<unknown>): Way {
  let calls = 0;
  return async (_, effect) => {
    calls += 1;
    if (calls === at + 1) await other();
    return effect();
  };
}

const refusal = async (what: Promise<unknown>): Promise<string> =>
  what.then(
    () => 'stands',
    (error: { reason?: string }) => error.reason ?? String(error),
  );

const OTHERS: readonly (readonly [string, ManagedKey, ManagedKey])[] = [
  ['C → A', C, A],
  ['B → C', B, C],
  ['A → D', A, D],
  ['D → B', D, B],
  ['A → B once more', A, B],
  ['B → A', B, A],
];
/** More than either makes. */
const CALLS = Array.from({ length: 10 }, (_, at) => at);

describe.each(OTHERS)('A → B, which is done and taken back, and %s', (_, from, to) => {
  it.each(CALLS)('that is started before call %i of it', async (at) => {
    const orders = new Orders();
    orders.store.has(rekeyOrder({ id: 'first', from: A.id, to: B.id, state: 'done' }));
    let other: string | undefined;
    const start = async () => {
      other = await refusal(orders.start(from, to));
    };
    const back = await refusal(orders.takeBack('first', meanwhile(at, start)));
    if (other === undefined) await start();
    expect([back, other].sort()).toEqual(['RekeyConflict', 'stands']);
    expect(orders.standing.length).toBe(1);
  });

  it.each(CALLS)('before call %i of whose start it is taken back', async (at) => {
    const orders = new Orders();
    orders.store.has(rekeyOrder({ id: 'first', from: A.id, to: B.id, state: 'done' }));
    let back: string | undefined;
    const takeBack = async () => {
      back = await refusal(orders.takeBack('first'));
    };
    const other = await refusal(orders.start(from, to, meanwhile(at, takeBack)));
    if (back === undefined) await takeBack();
    expect([back, other].sort()).toEqual(['RekeyConflict', 'stands']);
    expect(orders.standing.length).toBe(1);
  });
});

it.each(CALLS)('of two that are started together, the second before call %i of the first, one stands', async (at) => {
  const orders = new Orders();
  let other: string | undefined;
  const start = async () => {
    other = await refusal(orders.start(C, A));
  };
  const one = await refusal(orders.start(A, B, meanwhile(at, start)));
  if (other === undefined) await start();
  expect([one, other].sort()).toEqual(['RekeyConflict', 'stands']);
  expect(orders.standing.length).toBe(1);
});

it('two that are taken back together share no key either', async () => {
  const orders = new Orders();
  orders.store.has(rekeyOrder({ id: 'first', from: A.id, to: B.id, state: 'done' }));
  orders.store.has(rekeyOrder({ id: 'second', from: B.id, to: C.id, state: 'done' }));
  for (const at of CALLS) {
    const store = new Orders();
    for (const order of orders.store.orders) store.store.has(order);
    let other: string | undefined;
    const takeBack = async () => {
      other = await refusal(store.takeBack('second'));
    };
    const one = await refusal(store.takeBack('first', meanwhile(at, takeBack)));
    if (other === undefined) await takeBack();
    expect([one, other].sort()).toEqual(['RekeyConflict', 'stands']);
  }
});

it.each(CALLS)('of two who take the same one back, the second before call %i of the first, one does', async (at) => {
  const orders = new Orders();
  orders.store.has(rekeyOrder({ id: 'first', from: A.id, to: B.id, state: 'done' }));
  let other: string | undefined;
  const takeBack = async () => {
    other = await refusal(orders.takeBack('first', undefined, { ...CALL, correlationId: 'of another' }));
  };
  const one = await refusal(orders.takeBack('first', meanwhile(at, takeBack)));
  if (other === undefined) await takeBack();
  expect([one, other].sort()).toEqual(['RekeyNotPossible', 'stands']);
});

describe('what has ended', () => {
  const end = (orders: Orders, id: string) => changeRekey(id, 'end', 'why', CALL, orders.services(), () => {});

  it('holds nothing any more', async () => {
    const orders = new Orders();
    const { order } = await orders.start(A, B);
    expect(await refusal(orders.start(B, C))).toBe('RekeyConflict');
    await end(orders, order?.id ?? '');
    expect(await refusal(orders.start(C, B))).toBe('stands');
    expect(await refusal(orders.start(A, D))).toBe('stands');
  });

  // A move that was under way when a person ended it may come minutes later, when nobody looks for it any more.
  it('keeps what may still arrive from being missed by the next one, for some minutes', async () => {
    const orders = new Orders();
    const { order } = await orders.start(A, B);
    await end(orders, order?.id ?? '');
    expect(await refusal(orders.start(B, C))).toBe('RekeyConflict');
    orders.now = new Date(now.getTime() + 10 * 60_000 - 1);
    expect(await refusal(orders.start(B, C))).toBe('RekeyConflict');
    expect(await refusal(orders.start(A, B))).toBe('stands');
    orders.now = new Date(now.getTime() + 11 * 60_000);
    const back = orders.store.orders.find(({ state }) => state === 'moving');
    await orders.takeBack(back?.id ?? '');
    await end(orders, back?.id ?? '');
    expect(await refusal(orders.start(A, D))).toBe('RekeyConflict');
    expect(await refusal(orders.start(B, C))).toBe('stands');
    orders.now = new Date(now.getTime() + 22 * 60_000);
    expect(await refusal(orders.start(A, D))).toBe('stands');
  });

  it('keeps it from one that is taken back, likewise', async () => {
    const orders = new Orders();
    orders.store.has(rekeyOrder({ id: 'first', from: A.id, to: B.id, state: 'done' }));
    const { order } = await orders.start(C, B);
    await end(orders, order?.id ?? '');
    expect(await refusal(orders.takeBack('first'))).toBe('RekeyConflict');
    orders.now = new Date(now.getTime() + 11 * 60_000);
    expect(await refusal(orders.takeBack('first'))).toBe('stands');
  });
});

import { createMovedUses, formatNameOfUse, type MovedUses } from '../../src/controller/moved-uses.ts';
import { applyAct, type RekeyAct } from '../../src/controller/order-rekey.ts';
import {
  findConflicts,
  isMoving,
  NO_ORDERS,
  type Rekey,
  type StandingOrders,
  withRekey,
} from '../../src/orders/standing-orders.ts';
import type { OrdersStore } from '../../src/orders/standing-orders-client.ts';
import { MemoryFleetTable } from '../support/memory-fleet-table.ts';
import type { Way } from './memory-vault.ts';

const by = { objectId: 'operator' };

/** The document of standing orders, what re-keys have moved, and what operators do to them. */
export class MemoryOrders {
  orders: StandingOrders = NO_ORDERS;
  readonly #moved = new MemoryFleetTable();
  readonly #now: () => Date;
  readonly #judgeDone: (rekey: Rekey) => void;
  /** By order: since when it moves nothing any more. */
  readonly #endedAt = new Map<string, number>();
  #started = 0;

  /** @param judgeDone called when the app decides that an order is done */
  constructor(now: () => Date, judgeDone: (rekey: Rekey) => void) {
    this.#now = now;
    this.#judgeDone = judgeDone;
  }

  /** Nothing, where a key takes part in another order. */
  start(from: string, to: string, maxFailures: number): void {
    if (findConflicts(this.orders, { from, to }).length > 0) return;
    this.#started += 1;
    const rekey = { id: `rekey-${this.#started}`, from, to, maxFailures, reason: 'a simulation', by } as const;
    this.#set(withRekey(this.orders, { ...rekey, state: 'active', startedOn: this.#now().toISOString() }, this.#now()));
  }

  /** Does it to the last order, where it can be. @returns keys that are to be reconciled */
  act(act: RekeyAct): readonly string[] {
    const last = this.orders.rekeys.findLast(({ only }) => only === undefined);
    if (!last) return [];

    this.#started += 1;
    try {
      const wanted = { id: last.id, act, why: 'a simulation', newId: `rekey-${this.#started}`, by };
      const changes = applyAct(this.orders, wanted, this.#now());
      for (const { rekey } of changes) this.#set(withRekey(this.orders, rekey, this.#now()));

      return [last.from, last.to];
    } catch {
      return [];
    }
  }

  /** Orders that move what they find. */
  get moving(): readonly Rekey[] {
    return this.orders.rekeys.filter(isMoving);
  }

  /** Whether an instance may believe that an order moves a use from one key to the other. @param isMovedBy it was moved by that order */
  mayRekey(from: string, to: string, withinMs: number, isMovedBy: (order: string) => boolean): boolean {
    const since = this.#now().getTime() - withinMs;
    return this.orders.rekeys.some(
      (rekey) =>
        (rekey.only === undefined || isMovedBy(rekey.only)) &&
        rekey.from === from &&
        rekey.to === to &&
        (this.#endedAt.get(rekey.id) ?? Number.POSITIVE_INFINITY) >= since,
    );
  }

  /** Names of the uses that an order has moved, as the app knows them. */
  movedBy(order: string): ReadonlySet<string> {
    return new Set(this.#moved.rows(`order|${order}`).map(({ rowKey }) => rowKey));
  }

  /** Whether the order covers a use. */
  covers({ only }: Rekey, use: { readonly account: string; readonly scope?: string }): boolean {
    return only === undefined || this.movedBy(only).has(formatNameOfUse(use));
  }

  port(way: Way): OrdersStore {
    return {
      read: () => way('orders read', () => this.orders),
      recent: () => way('orders read', () => this.orders),
      change: (change) =>
        way(
          'orders change',
          () => {
            this.#set(change(this.orders));
            return this.orders;
          },
          true,
        ),
    };
  }

  moved(way: Way): MovedUses {
    return createMovedUses(this.#moved.port((label, effect, writes) => way(`moved ${label}`, effect, writes)));
  }

  #set(orders: StandingOrders): void {
    const wereDone = new Set(this.orders.rekeys.filter(({ state }) => state === 'done').map(({ id }) => id));
    this.orders = orders;
    for (const rekey of orders.rekeys) {
      if (rekey.state === 'done' && !wereDone.has(rekey.id)) this.#judgeDone(rekey);
      if (isMoving(rekey)) this.#endedAt.delete(rekey.id);
      else if (!this.#endedAt.has(rekey.id)) this.#endedAt.set(rekey.id, this.#now().getTime());
    }
  }
}

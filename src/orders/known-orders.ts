import { describe, describeFailure } from '../azure/failure.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { findPause, NO_ORDERS, type PauseOrder, type StandingOrders } from './standing-orders.ts';
import type { OrdersStore } from './standing-orders-client.ts';

/** Time to live of what was read. Milliseconds. */
export const KNOWN_MS = 10_000;
/** Time between a failed read and the next. Milliseconds. */
const RETRY_MS = 5_000;

/** A cache of the standing orders for views; the gate of the worker reads the store itself. */
export class KnownOrders {
  readonly #store: Pick<OrdersStore, 'read'>;
  readonly #now: () => Date;
  #orders = NO_ORDERS;
  #readMs = Number.NEGATIVE_INFINITY;
  #triedMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;
  /** Why the last read failed. */
  #failure: { readonly error: unknown } | undefined;

  constructor(store: Pick<OrdersStore, 'read'>, now: () => Date) {
    this.#store = store;
    this.#now = now;
  }

  get state(): StandingOrders {
    return this.#orders;
  }

  pauseNow(key: string): PauseOrder | undefined {
    return findPause(this.#orders, key, this.#now());
  }

  /** Caches what this instance has just written. */
  learn(orders: StandingOrders): void {
    this.#orders = orders;
    this.#readMs = this.#now().getTime();
  }

  /** Single flight. Never throws. @param anew reads again within the time to live too */
  async refresh(log: Log, anew = false): Promise<void> {
    const nowMs = this.#now().getTime();
    if (!anew && (nowMs - this.#readMs < KNOWN_MS || nowMs - this.#triedMs < RETRY_MS)) return;
    this.#reading ??= this.#read(log).finally(() => {
      this.#reading = undefined;
    });
    await this.#reading;
  }

  /** Reads the store. @throws what the storage answered */
  async readNow(log: Log): Promise<StandingOrders> {
    await this.refresh(log, true);
    if (this.#failure) throw this.#failure.error;
    return this.#orders;
  }

  async #read(log: Log): Promise<void> {
    const before = this.#readMs;
    try {
      const orders = await this.#store.read();
      // `learn` was called during the read: what this instance wrote is newer.
      if (this.#readMs === before) this.learn(orders);
      this.#failure = undefined;
    } catch (error) {
      this.#triedMs = this.#now().getTime();
      const isLogged = this.#failure !== undefined;
      this.#failure = { error };
      const message = `${REASONS.PauseUnreadable} ${describe(describeFailure(error))}`;
      if (!isLogged) log({ level: 'warning', reason: 'PauseUnreadable', message });
    }
  }
}

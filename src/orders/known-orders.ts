import { describe, describeFailure } from '../azure/failure.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { findPause, NO_ORDERS, type PauseOrder, type StandingOrders } from './standing-orders.ts';
import type { OrdersStore } from './standing-orders-client.ts';

/** What was read is used for so long. Milliseconds. */
export const KNOWN_MS = 10_000;
/** After a failure it is read again no sooner than this. Milliseconds. */
const RETRY_MS = 5_000;

/** The standing orders as this instance last read them, for what shows them. The gate of the worker reads them itself. */
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

  /** Takes over what this instance has just written. */
  learn(orders: StandingOrders): void {
    this.#orders = orders;
    this.#readMs = this.#now().getTime();
  }

  /** Callers at the same time share one request. Never throws. @param anew however lately it was read */
  async refresh(log: Log, anew = false): Promise<void> {
    const nowMs = this.#now().getTime();
    if (!anew && (nowMs - this.#readMs < KNOWN_MS || nowMs - this.#triedMs < RETRY_MS)) return;
    this.#reading ??= this.#read(log).finally(() => {
      this.#reading = undefined;
    });
    await this.#reading;
  }

  /** As they are now. @throws what the storage answered */
  async known(log: Log): Promise<StandingOrders> {
    await this.refresh(log, true);
    if (this.#failure) throw this.#failure.error;
    return this.#orders;
  }

  async #read(log: Log): Promise<void> {
    const before = this.#readMs;
    try {
      const orders = await this.#store.read();
      // What this instance has written meanwhile is newer.
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

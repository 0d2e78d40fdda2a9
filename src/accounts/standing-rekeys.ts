import { describe, describeFailure } from '../azure/failure.ts';
import { isEnded, type RekeyStore, type RekeyWay, wayOff } from '../fleet/rekey-order.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import type { AccountWork } from '../work/messages.ts';

/**
 * That there is no order is believed for so long, so that a rotation asks once and not for each account. Whoever was to be
 * moved meanwhile is found by the order's own steps. That there is one is never believed: it may be taken back. Milliseconds.
 */
const NONE_MS = 10_000;
/** Orders that cannot be read are left alone for so long: a rotation does not wait for them. Milliseconds. */
const LEFT_ALONE_MS = 30_000;

export interface StandingRekey {
  readonly way: RekeyWay;
  readonly from: ManagedKey;
  readonly to: ManagedKey;
}

/** Which re-key has to do with a key now. One for each instance. */
export class StandingRekeys {
  readonly #store: RekeyStore;
  readonly #vaults: ManagedVaults;
  readonly #now: () => Date;
  #noneUntilMs = 0;

  constructor(store: RekeyStore, vaults: ManagedVaults, now: () => Date) {
    this.#store = store;
    this.#vaults = vaults;
    this.#now = now;
  }

  /**
   * The order that moves what uses the key, as it stands now.
   *
   * @throws the SDK's errors, to a message of the order itself alone: every other look goes on without
   */
  async of(key: ManagedKey, work: AccountWork, log: Log): Promise<StandingRekey | undefined> {
    const isOrders = work.rekey !== undefined;
    if (!isOrders && this.#now().getTime() < this.#noneUntilMs) return undefined;
    try {
      const orders = await this.#store.orders();
      if (orders.every(isEnded)) this.#noneUntilMs = this.#now().getTime() + NONE_MS;
      const way = wayOff(orders, key.id);
      const to = way && this.#vaults.key(way.to);
      return to && { way, from: key, to };
    } catch (error) {
      if (isOrders) throw error;
      this.#noneUntilMs = this.#now().getTime() + LEFT_ALONE_MS;
      const message = `${REASONS.RekeysUnreadable} ${describe(describeFailure(error))}`;
      log({ level: 'warning', reason: 'RekeysUnreadable', message, key: key.id });
      return undefined;
    }
  }
}

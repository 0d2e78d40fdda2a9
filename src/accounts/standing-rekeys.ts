import { describe, describeFailure } from '../azure/failure.ts';
import { type RekeyStore, type RekeyWay, wayOff } from '../fleet/rekey-order.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import type { AccountWork } from '../work/messages.ts';
import type { InSight } from './in-sight.ts';
import { RekeyTask } from './rekey-task.ts';

/**
 * That there is no order is believed for so long, so that a rotation asks once and not for each account. Whoever was to be
 * moved meanwhile is found by the order's own steps. That there is one is never believed: it may be taken back. Milliseconds.
 */
const NONE_MS = 10_000;
/** Orders that cannot be read are left alone for so long: a rotation does not wait for them. Milliseconds. */
const LEFT_ALONE_MS = 30_000;

/** Which re-key has to do with a key now. One for each instance. */
export class StandingRekeys {
  readonly #store: RekeyStore;
  readonly #vaults: ManagedVaults;
  readonly #inSight: InSight;
  readonly #now: () => Date;
  readonly #noneUntilMs = new Map<string, number>();
  #unreadUntilMs = 0;

  constructor(
    store: RekeyStore,
    { vaults, inSight }: { readonly vaults: ManagedVaults; readonly inSight: InSight },
    now: () => Date,
  ) {
    this.#store = store;
    this.#vaults = vaults;
    this.#inSight = inSight;
    this.#now = now;
  }

  /**
   * What the order that moves what uses the key has to do with the account, as it stands now.
   *
   * @throws the SDK's errors, to a message of the order itself alone: every other look goes on without
   */
  async of(key: ManagedKey, work: AccountWork, log: Log): Promise<RekeyTask | undefined> {
    const isOrders = work.rekey !== undefined;
    const nowMs = this.#now().getTime();
    const name = key.id.toLowerCase();
    if (!isOrders && nowMs < Math.max(this.#unreadUntilMs, this.#noneUntilMs.get(name) ?? 0)) return undefined;
    try {
      const way = await this.#wayOf(key, work);
      const to = way && this.#vaults.key(way.to);
      const { account, location } = work;
      if (way && to) {
        return await RekeyTask.begin(
          { way, from: key, to },
          { account, location },
          { rekeys: this.#store, inSight: this.#inSight, now: this.#now },
        );
      }
      this.#noneUntilMs.set(name, nowMs + NONE_MS);
      return undefined;
    } catch (error) {
      if (isOrders) throw error;
      this.#unreadUntilMs = this.#now().getTime() + LEFT_ALONE_MS;
      const message = `${REASONS.RekeysUnreadable} ${describe(describeFailure(error))}`;
      log({ level: 'warning', reason: 'RekeysUnreadable', message, key: key.id });
      return undefined;
    }
  }

  /** A message of an order hangs on that one alone, whatever else is in the table. */
  async #wayOf(key: ManagedKey, { rekey }: AccountWork): Promise<RekeyWay | undefined> {
    const order = rekey === undefined ? undefined : await this.#store.order(rekey);
    return wayOff(order ? [order] : [], key.id) ?? wayOff(await this.#store.orders(), key.id);
  }
}

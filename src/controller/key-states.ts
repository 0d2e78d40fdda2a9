import type { RolloutRow, RolloutStore } from '../index/rollout-row.ts';
import type { UseRow } from '../index/use-row.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import { findRekey, isOpen, type StandingOrders } from '../orders/standing-orders.ts';
import { type FreshRead, FreshReads } from './fresh-reads.ts';
import { createCoverage, type MovedUses } from './moved-uses.ts';

/**
 * Maximum age of a version list. An older list can only move a use forwards, at worst to the last version but one.
 * Milliseconds.
 */
export const LIST_MS = 5_000;
/** A plan needs a list that is newer than this, so that the list is valid until the PATCH. Milliseconds. */
const RENEW_MS = 3_000;
/** Time to live of standing orders. Milliseconds. */
const ORDERS_MS = 10_000;
/** Time to live of rollouts. Milliseconds. */
const ROLLOUT_MS = 5_000;
/** Cache name of the standing orders. */
const ORDERS = { id: 'orders' };

export type VersionList = FreshRead<readonly KeyVersion[]>;

/** A standing order that moves the uses of a key to another key. */
export interface Order {
  readonly id: string;
  readonly to: ManagedKey;
  covers(row: UseRow): boolean;
}

/** What an instance knows of a key, from which it decides on the key's uses. */
export interface KeyState {
  readonly key: ManagedKey;
  /** Undefined: never read. */
  readonly orders: FreshRead<StandingOrders> | undefined;
  /** The active order for the uses of the key. */
  readonly order: Order | undefined;
  /** Undefined: no list, because of `unlisted` if that is present. */
  readonly versions: VersionList | undefined;
  readonly unlisted?: unknown;
  /** Versions of the order's target key; undefined: the use follows its own key. */
  readonly orderVersions: VersionList | undefined;
  readonly rollout: RolloutRow | undefined;
  /** The order has a rollout of its own. */
  readonly orderRollout: RolloutRow | undefined;
  /** The last read of a rollout failed. */
  readonly isRolloutUnread?: true;
}

interface KnownOrders {
  readonly orders: StandingOrders;
  /** Which uses each open order covers, by its id. */
  readonly coverage: ReadonlyMap<string, Order['covers']>;
}

interface StatePorts {
  /** Lists the versions at each call. */
  readonly keys: { listVersions(key: ManagedKey): Promise<readonly KeyVersion[]> };
  readonly orders: { read(): Promise<StandingOrders> };
  readonly moved: Pick<MovedUses, 'of'>;
  readonly rollouts: Pick<RolloutStore, 'read'>;
  readonly vaults: Pick<ManagedVaults, 'key'>;
  readonly now: () => Date;
}

/**
 * The states of keys that all passes of an instance share: versions, standing orders and rollouts. `since` is the time
 * of a request: a state that was read before may lack what was requested.
 */
export class KeyStates {
  readonly #ports: StatePorts;
  readonly #versions: FreshReads<ManagedKey, readonly KeyVersion[]>;
  readonly #orders: FreshReads<typeof ORDERS, KnownOrders>;
  readonly #rollouts: FreshReads<{ readonly id: string }, RolloutRow | undefined>;

  constructor(ports: StatePorts) {
    const { keys, rollouts, now } = ports;
    this.#ports = ports;
    this.#versions = new FreshReads(RENEW_MS, (key) => keys.listVersions(key), now);
    this.#orders = new FreshReads(ORDERS_MS, () => this.#readOrders(), now);
    this.#rollouts = new FreshReads(ROLLOUT_MS, async ({ id }) => (await rollouts.read(id))?.row, now);
  }

  /** Returns the last reads of each kind. */
  known(key: ManagedKey): KeyState {
    const order = this.#orderOf(key);

    return {
      key,
      orders: this.orders,
      order,
      versions: this.#versions.known(key),
      orderVersions: order && this.#versions.known(order.to),
      rollout: this.#rollouts.known(key)?.value,
      orderRollout: order && this.#rollouts.known(order)?.value,
    };
  }

  /** The last orders that were read. */
  get orders(): FreshRead<StandingOrders> | undefined {
    const known = this.#orders.known(ORDERS);
    return known && { value: known.value.orders, begunAt: known.begunAt };
  }

  /**
   * Reads the orders again if they are older than `since` or their time to live. Never throws: after a failed read the
   * last orders remain. A resume puts a new work item, with a later `since`.
   */
  async readOrders(since: Date): Promise<void> {
    await this.#orders.read(ORDERS, since).catch(() => {});
  }

  /** Returns the key's state with fresh orders and rollouts, and the last version lists. Never throws. */
  async readRollout(key: ManagedKey, since: Date): Promise<KeyState> {
    await this.readOrders(since);

    const order = this.#orderOf(key);
    const rollouts = [this.#rollouts.read(key, since), order && this.#rollouts.read(order, since)];
    const isRead = await Promise.all(rollouts).then(
      () => true,
      () => false,
    );

    const known = this.known(key);
    const { orderVersions } = known;
    const isListed = orderVersions !== undefined && orderVersions.begunAt >= since.getTime();

    return {
      ...known,
      orderVersions: isListed ? orderVersions : undefined,
      ...(isRead ? {} : { isRolloutUnread: true }),
    };
  }

  /**
   * Lists the versions from which the key's uses are planned, if the last lists are too old.
   *
   * @throws the error of a failed list of the key's versions. If Key Vault cannot list the target key of an order, the
   *   uses follow their own key.
   */
  async listVersions(key: ManagedKey, since: Date): Promise<Pick<KeyState, 'versions' | 'orderVersions'>> {
    const order = this.#orderOf(key);
    const [versions, orderVersions] = await Promise.all([
      this.#versions.read(key, since),
      order && this.#versions.read(order.to, since).catch(() => undefined),
    ]);

    return { versions, orderVersions };
  }

  /** Returns the key's state with everything fresh. Never throws. */
  async read(key: ManagedKey, since: Date): Promise<KeyState> {
    try {
      const lists = await this.listVersions(key, since);

      // After the lists: a pause must take effect soon, even if Key Vault is slow.
      return { ...(await this.readRollout(key, since)), ...lists };
    } catch (error) {
      return { ...this.known(key), versions: undefined, orderVersions: undefined, unlisted: error };
    }
  }

  async #readOrders(): Promise<KnownOrders> {
    const orders = await this.#ports.orders.read();
    const coverage = new Map<string, Order['covers']>();

    for (const rekey of orders.rekeys.filter(isOpen)) {
      coverage.set(rekey.id, await createCoverage(rekey, this.#ports.moved));
    }

    return { orders, coverage };
  }

  #orderOf(key: ManagedKey): Order | undefined {
    const known = this.#orders.known(ORDERS)?.value;
    const rekey = known && findRekey(known.orders, key.id);
    const to = rekey && this.#ports.vaults.key(rekey.to);
    if (!rekey || !to) return undefined;

    return { id: rekey.id, to, covers: known.coverage.get(rekey.id) ?? (() => false) };
  }
}

/** Returns the id of the last order between two keys, including ended orders. */
export function orderBetween(orders: StandingOrders | undefined, from: string, to: string): string | undefined {
  return orders?.rekeys.findLast((rekey) => rekey.to === to && rekey.from === from)?.id;
}

/** Returns the source keys of all orders to that key, including ended orders. */
export function listSourceKeys(orders: StandingOrders | undefined, to: string): readonly string[] {
  return orders?.rekeys.filter((rekey) => rekey.to === to).map(({ from }) => from) ?? [];
}

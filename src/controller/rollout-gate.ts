import type { Reason } from '../errors/reasons.ts';
import { isAdmitted, type RolloutRow, type RolloutStore } from '../index/rollout-row.ts';
import type { UseRow } from '../index/use-row.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import {
  findContest,
  findPause,
  findRekey,
  isOpen,
  type Rekey,
  type StandingOrders,
} from '../orders/standing-orders.ts';
import { FreshReads } from './fresh-reads.ts';
import { createCoverage, type MovedUses } from './moved-uses.ts';
import { getKeyOfVersion } from './observe.ts';

/** Cache name of the standing orders. */
const ORDERS = { id: 'orders' };
/** Time to live of standing orders and of rollouts. Milliseconds. */
const [ORDERS_MS, ROLLOUT_MS] = [10_000, 5_000];
/** Age of the orders after which an instance that cannot read them moves nothing (invariant 9). Milliseconds. */
const UNREADABLE_MS = 30_000;
/** Retry delays after a failed read, and during a pause without an end. Milliseconds. */
const [AGAIN_MS, PAUSED_MS] = [15_000, 3_600_000];

/** Why a use must not move now, although the plan moves it. */
export interface Blocked {
  readonly reason: Reason;
  /** Retry time; absent if a work item follows at the end of the block. */
  readonly until?: Date;
  /** No stage has been decided for the target version. */
  readonly needsRollout?: true;
}

/** A standing order that moves the uses of a key to another key. */
export interface Order {
  readonly id: string;
  readonly to: ManagedKey;
  covers(row: UseRow): boolean;
}

interface KnownOrders {
  readonly orders: StandingOrders;
  /** Which uses each open order covers, by its id. */
  readonly coverage: ReadonlyMap<string, Order['covers']>;
}

interface GatePorts {
  readonly orders: { read(): Promise<StandingOrders> };
  readonly moved: Pick<MovedUses, 'of'>;
  readonly rollouts: Pick<RolloutStore, 'read'>;
  readonly vaults: Pick<ManagedVaults, 'key'>;
  readonly now: () => Date;
}

/** Decides whether a use may move now, from the instance's caches of standing orders and rollouts. */
export class RolloutGate {
  readonly #ports: GatePorts;
  readonly #orders: FreshReads<typeof ORDERS, KnownOrders>;
  readonly #rollouts: FreshReads<{ readonly id: string }, RolloutRow | undefined>;

  constructor(ports: GatePorts) {
    const { rollouts, now } = ports;
    this.#ports = ports;
    this.#orders = new FreshReads(ORDERS_MS, () => this.#readOrders(), now);
    this.#rollouts = new FreshReads(ROLLOUT_MS, async ({ id }) => (await rollouts.read(id))?.row, now);
  }

  /**
   * Returns why the use must not move now. Never throws: a failed read blocks.
   *
   * @param target version identifier
   * @param since when the worker read its item; older cache entries are read again
   */
  async blocked(row: UseRow, key: ManagedKey, target: string, since: Date): Promise<Blocked | undefined> {
    await this.refresh(since);
    try {
      await this.#rollouts.read(this.#rolloutOf(key, target), since);
    } catch {
      return { reason: 'ServiceUnavailable', until: this.#in(AGAIN_MS) };
    }
    return this.stops(row, key, target);
  }

  /** Checks again right before a PATCH, only from the cache. */
  stops(row: UseRow, key: ManagedKey, target: string): Blocked | undefined {
    const now = this.#ports.now();
    const known = this.#orders.known(ORDERS);
    if (!known || now.getTime() - known.begunAt > UNREADABLE_MS) {
      return { reason: 'PauseUnreadable', until: this.#in(AGAIN_MS) };
    }

    const { orders } = known.value;
    const order = isVersionOf(target, key) ? undefined : this.order(key);

    // Only an open order moves a use to another key. This order ended between the plan and the write.
    if (!isVersionOf(target, order?.to ?? key) || order?.covers(row) === false)
      return { reason: 'RekeyChanged', until: now };

    const pause = findPause(orders, key.id, now) ?? (order && findPause(orders, order.to.id, now));
    if (pause) return { reason: 'Paused', until: pause.until ? new Date(pause.until) : this.#in(PAUSED_MS) };

    const contest = findContest(orders.contests, row.account, now);
    if (contest) return { reason: 'ContestedChange', until: new Date(contest.until) };

    const rollout = this.#rollouts.known(this.#rolloutOf(key, target))?.value;
    if (rollout?.target !== target) return { reason: 'WaveNotBegun', needsRollout: true };
    if (isAdmitted(rollout, row)) return undefined;

    return { reason: rollout.stage === 'canary' ? 'CanaryUnderWay' : 'WaveNotBegun' };
  }

  /** Returns the active order for the uses of a key. */
  order(key: ManagedKey): Order | undefined {
    const known = this.#orders.known(ORDERS)?.value;
    const rekey = known && findRekey(known.orders, key.id);
    const to = rekey && this.#ports.vaults.key(rekey.to);
    if (!rekey || !to) return undefined;
    return { id: rekey.id, to, covers: known.coverage.get(rekey.id) ?? (() => false) };
  }

  /** Returns the id of the last order between two keys, including ended orders. */
  orderBetween(from: string, to: string): string | undefined {
    return this.#rekeysTo(to).findLast((rekey) => rekey.from === from)?.id;
  }

  /** Returns the source keys of all orders to that key, including ended orders. */
  sourcesOf(to: string): readonly string[] {
    return this.#rekeysTo(to).map(({ from }) => from);
  }

  /**
   * Reads the orders again if the cache is older than `since` or its time to live. Never throws: after a failed read
   * the last orders apply for `UNREADABLE_MS`. A resume puts a new work item, with a later `since`.
   */
  async refresh(since: Date): Promise<void> {
    await this.#orders.read(ORDERS, since).catch(() => {});
  }

  async #readOrders(): Promise<KnownOrders> {
    const orders = await this.#ports.orders.read();
    const coverage = new Map<string, Order['covers']>();
    for (const rekey of orders.rekeys.filter(isOpen))
      coverage.set(rekey.id, await createCoverage(rekey, this.#ports.moved));
    return { orders, coverage };
  }

  /** Name of the rollout for the target: a re-key order has its own. */
  #rolloutOf(key: ManagedKey, target: string): { readonly id: string } {
    return isVersionOf(target, key) ? key : (this.order(key) ?? key);
  }

  #rekeysTo(to: string): readonly Rekey[] {
    return this.#orders.known(ORDERS)?.value.orders.rekeys.filter((rekey) => rekey.to === to) ?? [];
  }

  #in(ms: number): Date {
    return new Date(this.#ports.now().getTime() + ms);
  }
}

function isVersionOf(version: string, { id }: ManagedKey): boolean {
  return getKeyOfVersion(version) === id;
}

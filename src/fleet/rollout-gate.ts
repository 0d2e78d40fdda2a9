import { formatKeyIdentifier, parseKeyIdentifier, sameKeyName } from '../keys/key-identifier.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import { contestOf, findPause, findRekey, isOpen, type Rekey, type StandingOrders } from '../orders/standing-orders.ts';
import type { Reason } from '../reasons.ts';
import { type MovedUses, nameOfUse, namesOf } from './moved-uses.ts';
import { isAdmitted, type RolloutRow, type RolloutStore } from './rollout-row.ts';
import type { UseRow } from './use-row.ts';

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

/** A cached value. Reads again if the value is older than its time to live or the request. Single flight. */
class Cached<T> {
  readonly #ttlMs: number;
  readonly #read: () => Promise<T>;
  /** Value of the last successful read. */
  value: T | undefined;
  readAt = Number.NEGATIVE_INFINITY;
  #begunAt = Number.NEGATIVE_INFINITY;
  /** Number of started reads, and number of the read whose value is cached. */
  #begun = 0;
  #kept = 0;
  #reading = Promise.resolve(false);

  constructor(ttlMs: number, read: () => Promise<T>) {
    this.#ttlMs = ttlMs;
    this.#read = read;
  }

  /** Never throws. Times in milliseconds. @returns whether the read succeeded */
  refresh(now: number, since: number): Promise<boolean> {
    const ageMs = now - this.#begunAt;
    // After a clock correction the age is negative, and `since` no longer shows which reads are newer.
    if (ageMs >= 0 && ageMs < this.#ttlMs && this.#begunAt >= since) return this.#reading;
    this.#begunAt = now;
    this.#begun += 1;
    const own = this.#begun;
    this.#reading = this.#read().then(
      (value) => {
        if (own < this.#kept) return true;
        this.#kept = own;
        this.value = value;
        this.readAt = now;
        return true;
      },
      () => false,
    );
    return this.#reading;
  }
}

interface KnownOrders {
  readonly orders: StandingOrders;
  /** Names of the uses that each open rollback covers, by the id of the rolled-back order. */
  readonly moved: ReadonlyMap<string, ReadonlySet<string>>;
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
  readonly #known = new Cached(ORDERS_MS, () => this.#readOrders());
  readonly #rollouts = new Map<string, Cached<RolloutRow | undefined>>();

  constructor(ports: GatePorts) {
    this.#ports = ports;
  }

  /**
   * Returns why the use must not move now. Never throws: a failed read blocks.
   *
   * @param target version identifier
   * @param since when the worker read its item; older cache entries are read again
   */
  async blocked(row: UseRow, key: ManagedKey, target: string, since: Date): Promise<Blocked | undefined> {
    await this.refresh(since);
    const name = this.#rolloutOf(key, target);
    const read = async () => (await this.#ports.rollouts.read(name))?.row;
    const rollout = this.#rollouts.get(name) ?? new Cached(ROLLOUT_MS, read);
    this.#rollouts.set(name, rollout);
    if (!(await rollout.refresh(this.#ports.now().getTime(), since.getTime()))) {
      return { reason: 'ServiceUnavailable', until: this.#in(AGAIN_MS) };
    }
    return this.stops(row, key, target);
  }

  /** Checks again right before a PATCH, only from the cache. */
  stops(row: UseRow, key: ManagedKey, target: string): Blocked | undefined {
    const now = this.#ports.now();
    const orders = this.#known.value?.orders;
    if (!orders || now.getTime() - this.#known.readAt > UNREADABLE_MS) {
      return { reason: 'PauseUnreadable', until: this.#in(AGAIN_MS) };
    }
    const isOrdered = !isVersionOf(target, key.id);
    const order = this.order(key);
    // Only an open order moves a use to another key. This order ended between the plan and the write.
    if (isOrdered && !(order?.covers(row) && isVersionOf(target, order.to.id)))
      return { reason: 'RekeyChanged', until: now };
    const pause =
      findPause(orders, key.id, now) ?? (isOrdered && order ? findPause(orders, order.to.id, now) : undefined);
    if (pause) return { reason: 'Paused', until: pause.until ? new Date(pause.until) : this.#in(PAUSED_MS) };
    const contest = contestOf(orders.contests, row.account, now);
    if (contest) return { reason: 'ContestedChange', until: new Date(contest.until) };
    const rollout = this.#rollouts.get(this.#rolloutOf(key, target))?.value;
    if (rollout?.target !== target) return { reason: 'WaveNotBegun', needsRollout: true };
    if (isAdmitted(rollout, row)) return undefined;
    return { reason: rollout.stage === 'canary' ? 'CanaryUnderWay' : 'WaveNotBegun' };
  }

  /** Returns the active order for the uses of a key. */
  order(key: ManagedKey): Order | undefined {
    const known = this.#known.value;
    const rekey = known && findRekey(known.orders, key.id);
    const to = rekey && this.#ports.vaults.key(rekey.to);
    if (!rekey || !to) return undefined;
    const { id, only } = rekey;
    return { id, to, covers: (row) => only === undefined || known.moved.get(only)?.has(nameOfUse(row)) === true };
  }

  /** Returns the id of the last order between two keys, including ended orders. */
  orderBetween(from: string, to: string): string | undefined {
    return this.#rekeysTo(to).findLast((rekey) => sameKeyName(rekey.from, from))?.id;
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
    await this.#known.refresh(this.#ports.now().getTime(), since.getTime());
  }

  async #readOrders(): Promise<KnownOrders> {
    const orders = await this.#ports.orders.read();
    const moved = new Map<string, ReadonlySet<string>>();
    for (const rekey of orders.rekeys) {
      if (rekey.only === undefined || !isOpen(rekey)) continue;
      moved.set(rekey.only, await namesOf(this.#ports.moved.of(rekey.only)));
    }
    return { orders, moved };
  }

  /** Name of the rollout for the target: a re-key order has its own. */
  #rolloutOf(key: ManagedKey, target: string): string {
    return isVersionOf(target, key.id) ? key.id : (this.order(key)?.id ?? key.id);
  }

  #rekeysTo(to: string): readonly Rekey[] {
    return this.#known.value?.orders.rekeys.filter((rekey) => sameKeyName(rekey.to, to)) ?? [];
  }

  #in(ms: number): Date {
    return new Date(this.#ports.now().getTime() + ms);
  }
}

function isVersionOf(version: string, key: string): boolean {
  const parsed = parseKeyIdentifier(version);
  return parsed !== undefined && sameKeyName(formatKeyIdentifier(parsed), key);
}

import { formatKeyIdentifier, parseKeyIdentifier, sameKeyName } from '../keys/key-identifier.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import { contestOf, findPause, findRekey, isOpen, type Rekey, type StandingOrders } from '../orders/standing-orders.ts';
import type { Reason } from '../reasons.ts';
import { type MovedUses, nameOfUse, namesOf } from './moved-uses.ts';
import { isAdmitted, type RolloutRow, type RolloutStore } from './rollout-row.ts';
import type { UseRow } from './use-row.ts';

/** Time to live of standing orders and of rollouts. Milliseconds. */
const [ORDERS_MS, ROLLOUT_MS] = [10_000, 5_000];
/** An instance that could not read the orders for so long moves nothing (invariant 9). Milliseconds. */
const UNREADABLE_MS = 30_000;
/** When to check again after a failed read, and during a pause without an end. Milliseconds. */
const [AGAIN_MS, PAUSED_MS] = [15_000, 3_600_000];

/** Why a use is not moved now, although the plan may want it. */
export interface Blocked {
  readonly reason: Reason;
  /** When to try again; absent: a work item is put once the block ends. */
  readonly until?: Date;
  /** No stage is decided for the version that it would move to. */
  readonly needsRollout?: true;
}

/** A standing order that moves the uses of a key to another one. */
export interface Order {
  readonly id: string;
  readonly to: ManagedKey;
  covers(row: UseRow): boolean;
}

/** A value that is read again once it is older than its time to live, or than the work that asks for it. Single flight. */
class Cached<T> {
  readonly #ttlMs: number;
  readonly #read: () => Promise<T>;
  /** Of the last read that succeeded. */
  value: T | undefined;
  readAt = Number.NEGATIVE_INFINITY;
  #begunAt = Number.NEGATIVE_INFINITY;
  /** Reads that were begun, and the last of them whose value is kept. */
  #begun = 0;
  #kept = 0;
  #reading = Promise.resolve(false);

  constructor(ttlMs: number, read: () => Promise<T>) {
    this.#ttlMs = ttlMs;
    this.#read = read;
  }

  /** Never throws. Times in milliseconds. @returns whether it could be read */
  refresh(now: number, since: number): Promise<boolean> {
    const ageMs = now - this.#begunAt;
    // Negative: the clock was corrected, and `since` may be before a read that it is after.
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
  /** For each open roll back, the names of the uses that it covers, by the id of the order that it rolls back. */
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
   * Why the use may not move now. Never throws: what cannot be read blocks.
   *
   * @param target version identifier
   * @param since when the work item was read; anything cached before is read again
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

  /** The same right before a PATCH, from the cache alone. */
  stops(row: UseRow, key: ManagedKey, target: string): Blocked | undefined {
    const now = this.#ports.now();
    const orders = this.#known.value?.orders;
    if (!orders || now.getTime() - this.#known.readAt > UNREADABLE_MS) {
      return { reason: 'PauseUnreadable', until: this.#in(AGAIN_MS) };
    }
    const isOrdered = !isVersionOf(target, key.id);
    const order = this.order(key);
    // Only an open order moves a use to another key; this order ended between the plan and the write.
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

  /** The active order for the uses of a key. */
  order(key: ManagedKey): Order | undefined {
    const known = this.#known.value;
    const rekey = known && findRekey(known.orders, key.id);
    const to = rekey && this.#ports.vaults.key(rekey.to);
    if (!rekey || !to) return undefined;
    const { id, only } = rekey;
    return { id, to, covers: (row) => only === undefined || known.moved.get(only)?.has(nameOfUse(row)) === true };
  }

  /** Id of the last order from one key to the other, ended orders included. */
  orderBetween(from: string, to: string): string | undefined {
    return this.#rekeysTo(to).findLast((rekey) => sameKeyName(rekey.from, from))?.id;
  }

  /** Source keys of all orders to that key, ended orders included. */
  sourcesOf(to: string): readonly string[] {
    return this.#rekeysTo(to).map(({ from }) => from);
  }

  /**
   * Reads the orders again unless the cache is newer than `since` and its time to live. Never throws: after a failed read the
   * last orders stay in use for `UNREADABLE_MS`. A resume puts a new work item, with a later `since`.
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

  /** Name of the rollout that admits moves to the target: a re-key order has its own. */
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

import { type KeyVersion, newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { findPause, type StandingOrders } from '../orders/standing-orders.ts';
import { openRevocation } from '../revocation/revocation.ts';
import type { Blocked } from './reconcile-use.ts';
import { isAdmitted, type RolloutRow, type RolloutStore } from './rollout-row.ts';
import type { UseRow } from './use-row.ts';
import type { Gate } from './worker-ports.ts';

/** Standing orders and rollouts are read again after so long. Milliseconds. */
const [ORDERS_MS, ROLLOUT_MS] = [10_000, 5_000];
/** An instance that has not read the orders for so long does not move (invariant 9). Milliseconds. */
const UNREADABLE_MS = 30_000;
/** What cannot be read is tried again after so long; a pause without an end is asked for again then. Milliseconds. */
const [AGAIN_MS, PAUSED_MS] = [15_000, 3_600_000];

interface Cached<T> {
  readonly at: number;
  /** As it was when it was last read. */
  value: T | undefined;
  /** Never rejects. @returns whether it could be read */
  readonly reading: Promise<boolean>;
}

export interface GatePorts {
  readonly orders: { read(): Promise<StandingOrders> };
  readonly rollouts: Pick<RolloutStore, 'read'>;
  readonly now: () => Date;
}

/** What one instance knows of pauses and stages. It is asked before a use is read, and again right before the PATCH. */
export class RolloutGate implements Gate {
  readonly #ports: GatePorts;
  #orders: Cached<StandingOrders> | undefined;
  #ordersReadAt = Number.NEGATIVE_INFINITY;
  readonly #rollouts = new Map<string, Cached<RolloutRow>>();

  constructor(ports: GatePorts) {
    this.#ports = ports;
  }

  async blocked(
    row: UseRow,
    key: ManagedKey,
    versions: readonly KeyVersion[],
    since: Date,
  ): Promise<Blocked | undefined> {
    const now = this.#ports.now();
    if (openRevocation(versions, now)) return { reason: 'RevocationOpen' };
    const target = newestUsableVersion(versions, now);
    if (!target) return { reason: versions.length > 0 ? 'NoUsableVersion' : 'KeyNotFound' };
    await this.#readOrders(since.getTime());
    if (!(await this.#readRollout(key.id, since.getTime()))) {
      return { reason: 'ServiceUnavailable', until: this.#in(AGAIN_MS) };
    }
    return this.stops(row, key, target.id);
  }

  stops(row: UseRow, key: ManagedKey, target: string): Blocked | undefined {
    const now = this.#ports.now();
    const orders = this.#orders?.value;
    if (!orders || now.getTime() - this.#ordersReadAt > UNREADABLE_MS) {
      return { reason: 'PauseUnreadable', until: this.#in(AGAIN_MS) };
    }
    const pause = findPause(orders, key.id, now);
    if (pause) return { reason: 'Paused', until: pause.until ? new Date(pause.until) : this.#in(PAUSED_MS) };
    const rollout = this.#rollouts.get(key.id)?.value;
    if (rollout?.target !== target) return { reason: 'WaveNotBegun', needsRollout: true };
    if (isAdmitted(rollout, row)) return undefined;
    return { reason: rollout.stage === 'canary' ? 'CanaryUnderWay' : 'WaveNotBegun' };
  }

  order(): undefined {
    return undefined;
  }

  /** A resume is seen by the item that it puts; what was read last holds as long as it may. */
  async #readOrders(sinceMs: number): Promise<void> {
    const at = this.#ports.now().getTime();
    const known = this.#orders;
    if (!known || at - known.at >= ORDERS_MS || known.at < sinceMs) {
      const { read } = this.#ports.orders;
      this.#orders = cached(at, known?.value, read, () => {
        this.#ordersReadAt = Math.max(this.#ordersReadAt, at);
      });
    }
    await this.#orders?.reading;
  }

  async #readRollout(name: string, sinceMs: number): Promise<boolean> {
    const at = this.#ports.now().getTime();
    const known = this.#rollouts.get(name);
    if (known && at - known.at < ROLLOUT_MS && known.at >= sinceMs) return known.reading;
    const read = async () => (await this.#ports.rollouts.read(name))?.row;
    const next = cached(at, undefined, read);
    this.#rollouts.set(name, next);
    return next.reading;
  }

  #in(ms: number): Date {
    return new Date(this.#ports.now().getTime() + ms);
  }
}

/** One read for all that ask meanwhile. */
function cached<T>(at: number, before: T | undefined, read: () => Promise<T | undefined>, done = () => {}): Cached<T> {
  const entry: { value: T | undefined; reading: Promise<boolean>; at: number } = {
    ...{ at, value: before },
    reading: Promise.resolve(false),
  };
  entry.reading = read().then(
    (value) => {
      entry.value = value;
      done();
      return true;
    },
    () => false,
  );
  return entry;
}

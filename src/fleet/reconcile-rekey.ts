import type { KeyVersion } from '../keys/key-versions.ts';
import { newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import { rekeyChange } from '../orders/order-rekey.ts';
import {
  findRekey,
  isMoving,
  type Rekey,
  type StandingOrders,
  type UnrecordedOrder,
  withRekey,
  withUnrecorded,
} from '../orders/standing-orders.ts';
import { GIVEN_UP_MS } from '../time/spans.ts';
import type { Cause } from '../work/messages.ts';
import type { RolloutCount, RolloutDecision } from './decide-rollout.ts';
import type { KeyQueue } from './fleet-work.ts';
import { type MovedUses, nameOfUse, namesOf } from './moved-uses.ts';
import { findRekeyBlocker } from './plan.ts';
import { failedOn } from './reconcile-use.ts';

import type { UseRow } from './use-row.ts';

/** A PATCH in flight ends within its deadline, and takes effect within a minute after that. Milliseconds. */
const SETTLED_MS = 2 * GIVEN_UP_MS;
/** A requested list is usually done within this time. Milliseconds. */
const LISTED_MS = 15_000;

export interface RekeyPorts {
  readonly orders: {
    read(): Promise<StandingOrders>;
    change(change: (orders: StandingOrders) => StandingOrders): Promise<StandingOrders>;
  };
  readonly moved: Pick<MovedUses, 'of'>;
  readonly vaults: Pick<ManagedVaults, 'key'>;
  readonly keys: { listVersions(key: ManagedKey): Promise<readonly KeyVersion[]> };
  /**
   * Finds where a use of the source key may be unseen, one sentence each, and requests the lists that are missing.
   */
  findGaps(rekey: Rekey, since: Date): Promise<readonly string[]>;
  /** Appends a decision on an order to the audit trail. Never throws. */
  recordOrder(change: UnrecordedOrder): Promise<unknown>;
  readonly now: () => Date;
}

/** An order that can move the uses of a key now. */
export interface OpenRekey {
  readonly rekey: Rekey;
  readonly target: KeyVersion;
  covers(row: UseRow): boolean;
}

/** Undefined: there is no order, or it is blocked, since either key is revoked or the target key has no usable version. */
export async function openRekeyOf(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  standing: StandingOrders,
  { vaults, keys, moved, now }: RekeyPorts,
): Promise<OpenRekey | undefined> {
  const rekey = findRekey(standing, key.id);
  const to = rekey && vaults.key(rekey.to);
  if (!rekey || !to) return undefined;
  const onto = await keys.listVersions(to).catch(() => []);
  const target = newestUsableVersion(onto, now());
  if (!target || findRekeyBlocker({ key, versions }, { key: to, versions: onto }, now())) return undefined;
  const covered = rekey.only === undefined ? undefined : await namesOf(moved.of(rekey.only));
  return { rekey, target, covers: (row) => covered?.has(nameOfUse(row)) ?? true };
}

/** Counts what an order still has to move and what it has moved. */
export class RekeyCount {
  readonly #open: OpenRekey;
  readonly #rollout: RolloutCount;
  readonly #left = new Set<string>();
  #failures = 0;

  constructor(open: OpenRekey, rollout: RolloutCount) {
    this.#open = open;
    this.#rollout = rollout;
  }

  add(row: UseRow): void {
    const { rekey } = this.#open;
    this.#left.add(nameOfUse(row));
    this.#rollout.add(row);
    // Failures before a resume do not count.
    const failed = failedOn(row)?.getTime() ?? Number.NEGATIVE_INFINITY;
    if (failed >= Date.parse(rekey.resumedOn ?? rekey.startedOn)) this.#failures += 1;
  }

  async addMoved(moved: RekeyPorts['moved']): Promise<void> {
    for await (const use of moved.of(this.#open.rekey.id)) {
      if (!this.#left.has(nameOfUse(use))) this.#rollout.addMoved(use);
    }
  }

  get isStopped(): boolean {
    return this.#failures >= this.#open.rekey.maxFailures;
  }

  get failures(): number {
    return this.#failures;
  }
}

/** Stops an order with too many failures, until an operator resumes it. */
export async function stopRekey({ rekey }: OpenRekey, failures: number, ports: RekeyPorts): Promise<void> {
  const on = ports.now().toISOString();
  const why = `${failures} accounts and scopes could not be moved.`;
  await changeRekey({ ...rekey, state: 'stopped', paused: { on, why } }, rekey, { reason: 'RekeyStopped', why }, ports);
}

/** Decides whether an order is done. @returns whether it is */
export async function verifyRekey(
  { rekey }: OpenRekey,
  { row, counts }: RolloutDecision,
  cause: Cause,
  ports: RekeyPorts & KeyQueue,
): Promise<boolean> {
  const left = counts.pending + counts.failed + counts.left;
  if (left > 0) {
    if (rekey.state === 'verifying') await changeRekey({ ...rekey, state: 'active' }, rekey, undefined, ports);
    return false;
  }
  // Any PATCH that was in flight has taken effect by then.
  const settledOn = new Date(Date.parse(row.progressOn) + SETTLED_MS);
  const gaps = [...(await ports.findGaps(rekey, settledOn))];
  const now = ports.now();
  const verified = { on: now.toISOString(), gaps };
  if (gaps.length === 0) {
    const done: Rekey = { ...rekey, state: 'done', verified, endedOn: verified.on };
    await changeRekey(done, rekey, { reason: rekey.only === undefined ? 'RekeyDone' : 'RekeyTakenBack' }, ports);
  } else if (rekey.state !== 'verifying' || rekey.verified?.gaps.join() !== gaps.join()) {
    await changeRekey({ ...rekey, state: 'verifying', verified }, rekey, undefined, ports);
    // The sweep would check later.
    await ports.sendKey(rekey.from, cause, new Date(Math.max(settledOn.getTime(), now.getTime()) + LISTED_MS));
  }
  return gaps.length === 0;
}

/** Writes an order, unless an operator has changed it since it was read. */
async function changeRekey(
  wanted: Rekey,
  read: Rekey,
  about: { readonly reason: 'RekeyStopped' | 'RekeyDone' | 'RekeyTakenBack'; readonly why?: string } | undefined,
  { orders, recordOrder, now }: RekeyPorts,
): Promise<void> {
  const change = about && rekeyChange(wanted, about.reason, now(), about.why ? { why: about.why } : {});
  let isChanged = false;
  await orders.change((current) => {
    const rekey = current.rekeys.find(({ id }) => id === read.id);
    isChanged = rekey !== undefined && isMoving(rekey) && rekey.resumedOn === read.resumedOn;
    if (!isChanged) return current;
    const changed = withRekey(current, wanted, now());
    return change ? withUnrecorded(changed, change) : changed;
  });
  if (change && isChanged) await recordOrder(change);
}

import { GIVEN_UP_MS } from '../formats/spans.ts';
import { formatCount } from '../formats/text.ts';
import { selectManagedUses } from '../index/fleet-keys.ts';
import type { UseRow } from '../index/use-row.ts';
import { isAboutAccount, type NewWorkItem } from '../index/work-items.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import { findNewestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { recordChanges } from '../orders/change-orders.ts';
import {
  findRekey,
  isMoving,
  type Rekey,
  type StandingOrders,
  withRekey,
  withUnrecorded,
} from '../orders/standing-orders.ts';
import type { Cause } from '../work/messages.ts';
import type { RolloutDecision } from './decide-rollout.ts';
import { createCoverage } from './moved-uses.ts';
import { toRekeyChange } from './order-rekey.ts';
import { findRekeyBlocker } from './plan.ts';
import { getFailedOn } from './use-result.ts';
import type { FleetServices } from './worker-ports.ts';

/** A PATCH ends within its deadline, and takes effect within a minute after that. Milliseconds. */
const SETTLED_MS = 2 * GIVEN_UP_MS;
const LISTED_MS = 15_000;
/** Number of gaps that an order names. */
const MOST_GAPS = 20;

/** An order that can move a key's uses now. */
export interface OpenRekey {
  readonly rekey: Rekey;
  readonly target: KeyVersion;
  covers(row: UseRow): boolean;
}

/** Returns undefined without an order, or if it is blocked: a key is revoked, or the target has no usable version. */
export async function findOpenRekey(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  standing: StandingOrders,
  { vaults, keys, moved, now }: FleetServices,
): Promise<OpenRekey | undefined> {
  const rekey = findRekey(standing, key.id);
  const to = rekey && vaults.key(rekey.to);
  if (!rekey || !to) return undefined;

  const onto = await keys.listVersions(to).catch(() => []);
  const target = findNewestUsableVersion(onto, now());
  if (!target || findRekeyBlocker({ key, versions }, { key: to, versions: onto }, now())) return undefined;

  return { rekey, target, covers: await createCoverage(rekey, moved) };
}

/** Returns whether a use failed after the order's start or last resume. */
export function hasFailedSince(row: UseRow, { startedOn, resumedOn = startedOn }: Rekey): boolean {
  return (getFailedOn(row)?.getTime() ?? Number.NEGATIVE_INFINITY) >= Date.parse(resumedOn);
}

/** Stops an order after too many failures, until an operator resumes it. */
export async function stopRekey({ rekey }: OpenRekey, failures: number, ports: FleetServices): Promise<void> {
  const on = ports.now().toISOString();
  const why = `${failures} moves of accounts and scopes failed.`;
  await changeRekey({ ...rekey, state: 'stopped', paused: { on, why } }, rekey, 'RekeyStopped', ports);
}

/**
 * Verifies that an order moved all uses.
 *
 * @returns whether the order is done, and the work items whose subscriptions want a pass
 */
export async function verifyRekey(
  { rekey, covers }: OpenRekey,
  { row, counts }: RolloutDecision,
  cause: Cause,
  ports: FleetServices,
): Promise<{ readonly isDone: boolean; readonly wanted: readonly NewWorkItem[] }> {
  const left = counts.waiting + counts.failed + counts.left;
  if (left > 0) {
    if (rekey.state === 'verifying') await changeRekey({ ...rekey, state: 'active' }, rekey, undefined, ports);
    return { isDone: false, wanted: [] };
  }

  // By then, every PATCH in flight has taken effect or failed.
  const settledOn = new Date(Date.parse(row.progressOn) + SETTLED_MS);
  const { gaps, wanted } = await findGaps(rekey, settledOn, ports);
  if (gaps.length === 0) {
    // A worker may have put a use of the source key into the index since the count.
    const isManaged = selectManagedUses(await ports.inSight());
    for await (const use of ports.rows.of(rekey.from)) {
      if (covers(use) && isManaged(use)) return { isDone: false, wanted };
    }
  }

  const now = ports.now();
  const verified = { on: now.toISOString(), gaps: nameFirstGaps(gaps) };

  if (gaps.length === 0) {
    const done: Rekey = { ...rekey, state: 'done', verified, endedOn: verified.on };
    await changeRekey(done, rekey, rekey.only === undefined ? 'RekeyDone' : 'RekeyTakenBack', ports);
  } else if (rekey.state !== 'verifying' || rekey.verified?.gaps.join() !== verified.gaps.join()) {
    await changeRekey({ ...rekey, state: 'verifying', verified }, rekey, undefined, ports);

    // Checks earlier than the sweep.
    await ports.sendKey(rekey.from, cause, new Date(Math.max(settledOn.getTime(), now.getTime()) + LISTED_MS));
  }

  return { isDone: gaps.length === 0, wanted };
}

/** Returns the first gaps, and how many there are beyond: every instance reads the orders every ten seconds. */
function nameFirstGaps(gaps: readonly string[]): string[] {
  const more = gaps.length - MOST_GAPS;
  return [
    ...gaps.slice(0, MOST_GAPS),
    ...(more > 0 ? [`${formatCount(more, 'gap')} more, which the order does not name.`] : []),
  ];
}

/**
 * Finds where the index may lack a use of an order's source key, and puts items for the missing lists. Gaps are subscriptions
 * not listed since `since`, and accounts whose encryption scopes were not listed since the order began. A dead worker's
 * subscription is also a gap: its PATCH, or another order's, may have moved a use back onto the source key.
 *
 * @returns a sentence for each gap, and the items
 */
export async function findGaps(
  rekey: Rekey,
  since: Date,
  ports: Pick<FleetServices, 'fleet' | 'items' | 'inSight' | 'now'>,
): Promise<{ readonly gaps: readonly string[]; readonly wanted: readonly NewWorkItem[] }> {
  const { fleet, items, now } = ports;
  const subscriptions = await ports.inSight();
  if (!subscriptions) return { gaps: ['The app cannot list its subscriptions.'], wanted: [] };

  const listings = await fleet.listings();
  const gaps: string[] = [];
  const wanted: NewWorkItem[] = [];
  const cause: Cause = { by: 'rekey', ref: rekey.id, since: now().toISOString() };

  for (const subscription of subscriptions) {
    const item = { subscription, about: '', due: now(), cause };
    const listedOn = listings.get(subscription.toLowerCase());
    if (!listedOn || listedOn <= since) {
      gaps.push(`The accounts of subscription ${subscription} were not listed two minutes after the last move.`);
      if (now() > since) wanted.push({ ...item, kind: 'list', since });
    }

    const pending = await items.of(subscription);
    const unfinished = new Set(pending.map(({ kind }) => kind));
    if (unfinished.has('verify')) {
      gaps.push(`A worker of subscription ${subscription} died. Its last PATCHes are not verified yet.`);
    }

    // A list may have shown uses of the source key that the budget of reads did not admit yet.
    if (unfinished.has('list') || pending.some(isAboutAccount)) {
      gaps.push(`A list of subscription ${subscription}, or a read of one of its accounts, is not finished.`);
    }

    let unlisted = 0;

    for await (const { scopesReadOn = '' } of fleet.accounts(subscription)) {
      if (scopesReadOn < rekey.startedOn) unlisted += 1;
    }

    if (unlisted === 0) continue;

    const whose = `the encryption scopes of ${formatCount(unlisted, 'account')}`;

    gaps.push(`In subscription ${subscription}, ${whose} were not listed since the order began.`);
    wanted.push({ ...item, kind: 'scopes', since: new Date(rekey.startedOn), fresh: true });
  }

  await items.putNew(wanted);

  return { gaps, wanted };
}

/** Writes an order, unless an operator changed it after the read. */
async function changeRekey(
  wanted: Rekey,
  read: Rekey,
  reason: 'RekeyStopped' | 'RekeyDone' | 'RekeyTakenBack' | undefined,
  { orders, audit, now }: FleetServices,
): Promise<void> {
  const why = wanted.state === 'stopped' ? { why: wanted.paused?.why } : {};
  const change = reason && toRekeyChange(wanted, reason, now(), why);
  let isChanged = false;
  await orders.change((current) => {
    const rekey = current.rekeys.find(({ id }) => id === read.id);
    isChanged = rekey !== undefined && isMoving(rekey) && rekey.resumedOn === read.resumedOn;
    if (!isChanged) return current;
    const changed = withRekey(current, wanted, now());
    return change ? withUnrecorded(changed, change) : changed;
  });

  if (change && isChanged) await recordChanges([change], { orderStore: orders, audit });
}

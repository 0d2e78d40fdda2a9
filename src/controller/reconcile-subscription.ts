import pMap from 'p-map';
import { CONCURRENCY } from '../azure/limits.ts';
import { REASONS } from '../errors/reasons.ts';
import { GIVEN_UP_MS, HOUR_MS, MINUTE_MS } from '../formats/spans.ts';
import { getDue, type NewWorkItem, type WorkItem } from '../index/work-items.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Lease } from '../work/lease-client.ts';
import { Pass } from './pass.ts';
import type { PassStart } from './pass-lease.ts';
import { type Announcement, formatState, hasTargets, mergeAnnouncements, PASS_STATE } from './pass-state.ts';
import type { FleetServices } from './worker-ports.ts';

/** A dead worker's PATCHes take effect within a minute or never. Delay until a worker verifies them. Milliseconds. */
const VERIFY_AFTER_MS = 2 * GIVEN_UP_MS;
/** Consecutive dead workers after which the subscription itself counts as the cause. */
const MOST_UNCLEAN = 3;

/**
 * Reconciles all due work items of a subscription under its lease, so that only one worker writes at a time.
 * Level-triggered: an item decides only what to read.
 *
 * @param until no call starts after this time; calls in flight have their own deadlines
 * @returns earliest due time of the remaining items. `busy`: another worker holds the lease, and reads the items again
 *   before its pass ends
 * @throws the SDK's errors of the app's own storage; the sweep finds the remaining work
 */
export async function reconcileSubscription(
  subscription: string,
  until: Date,
  ports: FleetServices,
): Promise<Date | 'busy' | undefined> {
  for (;;) {
    const items = await ports.items.of(subscription);
    const dues = items.map((item) => getDue(item, ports.now()).getTime());
    const nextDue = dues.length > 0 ? new Date(Math.min(...dues)) : undefined;

    // Read again after each release: a message that found the lease held relies on this worker for its item.
    if (!nextDue || nextDue > ports.now() || ports.now() >= until) return nextDue;

    const lease = await ports.leases.acquire(`subscription/${subscription.toLowerCase()}`);
    if (!lease) return 'busy';

    let progressed: readonly ManagedKey[] = [];
    try {
      const start = await prepareStart(subscription, lease, ports);
      if (start) progressed = await new Pass(subscription, until, start, ports).run();
    } finally {
      // All calls have ended, so even a lease that was lost can be released: no worker has to wait until it expires.
      await lease.release();
    }

    await pMap(progressed, (key) => ports.reconcileKey(key), { concurrency: CONCURRENCY });
  }
}

/**
 * Reads the state in the lease, and takes over from a holder that died.
 *
 * @returns undefined if too many workers died, and the work is postponed
 */
async function prepareStart(subscription: string, lease: Lease, ports: FleetServices): Promise<PassStart | undefined> {
  const { pass: left, unverified, unclean, usage } = PASS_STATE.parse(lease.state);
  if (!left) return { lease, unclean, usage, unverified };
  const { isPostponed, ...taken } = await takeOver(subscription, left, { lease, unclean, usage, unverified }, ports);
  if (!isPostponed) return taken;
  await lease.save(formatState(taken));
  return undefined;
}

/**
 * Takes over from a dead holder: puts an item that verifies the holder's PATCHes in flight.
 *
 * @returns `isPostponed`: too many consecutive workers died, and the items are postponed
 */
async function takeOver(
  subscription: string,
  left: Announcement,
  start: PassStart,
  ports: FleetServices,
): Promise<PassStart & { readonly isPostponed: boolean }> {
  const { unclean } = start;
  const { items, now, log } = ports;
  const all = await items.of(subscription);
  const earlier = all.find(({ kind }) => kind === 'verify');

  // A missing item means that a pass has verified the earlier announcements.
  const before = earlier && start.unverified;
  const unverified = hasTargets(left) ? mergeAnnouncements(before, left) : before;

  // A worker without an announcement sent no PATCH.
  if (hasTargets(left)) await items.put([verifyItem(subscription, unverified ?? left, now())]);

  const message = `${REASONS.LeaseTakenOver} It began ${left.startedOn.toISOString()}.`;

  log({ level: 'warning', reason: 'LeaseTakenOver', message, subscription, unclean });

  const work = all.filter(({ kind }) => kind !== 'verify');
  const isPostponed = unclean >= MOST_UNCLEAN;
  if (isPostponed) await postponeAll(work, subscription, unclean, ports);
  else await countAttempts(work, ports);

  return { ...start, unverified, isPostponed };
}

function verifyItem(subscription: string, { startedOn }: Announcement, now: Date): NewWorkItem {
  const inFlightUntil = new Date(now.getTime() + VERIFY_AFTER_MS);
  // A read after this time shows every write of the dead worker.
  const cause = { by: 'takeover', ref: '', since: inFlightUntil.toISOString() };
  return { subscription, kind: 'verify', about: '', due: inFlightUntil, since: startedOn, cause };
}

/**
 * Counts the dead worker's attempt at each due item. Decisions on keys wait for a first list only while it has no failed
 * attempt, so a list that kills its worker must not delay them forever. Items of keys are not counted, because a key's
 * item without attempts retries failed uses at once.
 */
async function countAttempts(work: readonly WorkItem[], { items, now }: FleetServices): Promise<void> {
  for (const item of work) {
    if (item.kind === 'key' || getDue(item, now()) > now()) continue;
    await items.postpone(item, { due: item.due, attempts: item.attempts + 1, reason: 'LeaseTakenOver' });
  }
}

async function postponeAll(
  work: readonly WorkItem[],
  subscription: string,
  unclean: number,
  { items, now, log }: FleetServices,
): Promise<void> {
  const due = new Date(now().getTime() + Math.min(2 ** unclean * MINUTE_MS, HOUR_MS));

  for (const item of work) {
    await items.postpone(item, { due, attempts: item.attempts + 1, reason: 'SubscriptionFails' });
  }

  const times = `${unclean} passes in a row; the next one begins after ${due.toISOString()}.`;
  const failing = { level: 'error', reason: 'SubscriptionFails', subscription } as const;
  log({ ...failing, message: `${REASONS.SubscriptionFails} ${times}` });
}

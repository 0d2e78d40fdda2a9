import pMap from 'p-map';
import { CONCURRENCY } from '../azure/limits.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { REASONS } from '../reasons.ts';
import { GIVEN_UP_MS, HOUR_MS } from '../time/spans.ts';
import type { Announcement } from './observe.ts';
import { Pass, type PassStart } from './pass.ts';
import { dueOf } from './work-items.ts';
import { type FleetServices, PASS_STATE, type PassState } from './worker-ports.ts';

/** A dead worker's PATCHes take effect within a minute or never. Delay until a worker verifies them. Milliseconds. */
const VERIFY_AFTER_MS = 2 * GIVEN_UP_MS;
/** Consecutive dead workers after which the subscription itself counts as the cause. */
const MOST_UNCLEAN = 3;
const MINUTE_MS = 60_000;

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
    const dues = items.map((item) => dueOf(item, ports.now()).getTime());
    const nextDue = dues.length > 0 ? new Date(Math.min(...dues)) : undefined;
    // Read again after each release: a message that found the lease held relies on this worker for its item.
    if (!nextDue || nextDue > ports.now() || ports.now() >= until) return nextDue;
    const lease = await ports.leases.acquire(`subscription/${subscription.toLowerCase()}`);
    if (!lease) return 'busy';
    let progressed: readonly ManagedKey[] = [];
    try {
      const { pass: left, unclean: before, usage } = PASS_STATE.parse(lease.state);
      const start = { lease, usage, unclean: left ? before + 1 : before };
      if (!left || (await takeOver(subscription, left, start, ports))) {
        progressed = await new Pass(subscription, until, start, ports).run();
      }
    } finally {
      if (lease.held()) await lease.release();
    }
    await pMap(progressed, (key) => ports.reconcileKey(key), { concurrency: CONCURRENCY });
  }
}

/**
 * Takes over from a dead holder: puts an item that verifies the holder's PATCHes in flight.
 *
 * @returns false if too many consecutive workers died; the items are then postponed
 */
async function takeOver(
  subscription: string,
  { startedOn, targets }: Announcement,
  { lease, unclean, usage }: PassStart,
  { items, now, log }: FleetServices,
): Promise<boolean> {
  const all = await items.of(subscription);
  const earlier = all.find(({ kind }) => kind === 'verify');
  const inFlightUntil = new Date(now().getTime() + VERIFY_AFTER_MS);
  await items.put([
    {
      ...{ subscription, kind: 'verify', about: '', due: inFlightUntil },
      since: earlier && earlier.since < startedOn ? earlier.since : startedOn,
      // A read after this time shows every write of the dead worker.
      cause: { by: 'takeover', ref: '', since: inFlightUntil.toISOString() },
      targets: { ...earlier?.targets, ...targets },
    },
  ]);
  const message = `${REASONS.LeaseTakenOver} It began ${startedOn.toISOString()}.`;
  log({ level: 'warning', reason: 'LeaseTakenOver', message, subscription, unclean });
  if (unclean < MOST_UNCLEAN) return true;
  const due = new Date(now().getTime() + Math.min(2 ** unclean * MINUTE_MS, HOUR_MS));
  for (const item of all) {
    const later = { due, attempts: item.attempts + 1, reason: 'SubscriptionFails' } as const;
    if (item.kind !== 'verify') await items.postpone(item, later);
  }
  const times = `${unclean} passes in a row; the next one begins after ${due.toISOString()}.`;
  const failing = { level: 'error', reason: 'SubscriptionFails', subscription } as const;
  log({ ...failing, message: `${REASONS.SubscriptionFails} ${times}` });
  await lease.save({ unclean, usage } satisfies PassState);
  return false;
}

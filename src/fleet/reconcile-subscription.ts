import pMap from 'p-map';
import { CONCURRENCY } from '../azure/limits.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { REASONS } from '../reasons.ts';
import { GIVEN_UP_MS } from '../time/spans.ts';
import type { Lease } from '../work/lease-client.ts';
import type { Announcement } from './observe.ts';
import { Pass } from './pass.ts';
import { dueOf } from './work-items.ts';
import { PASS_STATE, type PassState, type WorkerPorts } from './worker-ports.ts';

/** The last PATCHes of a dead worker land within a minute or never: its uses are verified after so long. Milliseconds. */
const VERIFY_AFTER_MS = 2 * GIVEN_UP_MS;
/** After so many dead workers in a row the subscription itself is taken for the cause. */
const MOST_UNCLEAN = 3;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** What became of a pass. */
type PassResult =
  /** Another worker holds the subscription, and reads its items again before it is done. */
  | { readonly outcome: 'busy' }
  | {
      readonly outcome: 'passed';
      /** When the earliest item that is left is due. */
      readonly nextDue: Date | undefined;
    };

/**
 * Reconciles all due work items of a subscription, under its lease, so that one worker at a time does. Level-triggered: an item
 * says what to read, and nothing else.
 *
 * @param until no call is begun later; those in flight have their own deadlines
 * @throws the SDK's errors of the app's own storage; what is left is found by the sweep
 */
export async function reconcileSubscription(
  subscription: string,
  until: Date,
  ports: WorkerPorts,
): Promise<PassResult> {
  for (;;) {
    const items = await ports.items.of(subscription);
    const dues = items.map((item) => dueOf(item, ports.now()).getTime());
    const nextDue = dues.length > 0 ? new Date(Math.min(...dues)) : undefined;
    // Read again after each release: a message that came meanwhile found the lease held, and left its item to this worker.
    if (!nextDue || nextDue > ports.now() || ports.now() >= until) {
      return { outcome: 'passed', nextDue };
    }
    const lease = await ports.leases.acquire(`subscription/${subscription.toLowerCase()}`);
    if (!lease) return { outcome: 'busy' };
    let progressed: readonly ManagedKey[] = [];
    try {
      const state = PASS_STATE.safeParse(lease.state).data ?? { unclean: 0, usage: {} };
      const announced = state.pass && announcementOf(state.pass);
      const unclean = state.pass ? state.unclean + 1 : state.unclean;
      if (!announced || (await takeOver(subscription, announced, { ...state, unclean }, lease, ports))) {
        const pass = new Pass(subscription, until, { lease, unclean, usage: state.usage }, ports);
        await pass.run();
        progressed = pass.progressed;
      }
    } finally {
      if (lease.held()) await lease.release();
    }
    await pMap(progressed, (key) => ports.reconcileKey(key), { concurrency: CONCURRENCY });
  }
}

function announcementOf({ startedOn, targets }: NonNullable<PassState['pass']>): Announcement {
  return { startedOn: new Date(startedOn), targets };
}

/**
 * The last holder of the lease died: puts an item that verifies what it had in flight.
 *
 * @returns false: too many workers died in a row, and the items are postponed
 */
async function takeOver(
  subscription: string,
  { startedOn, targets }: Announcement,
  { unclean, usage }: PassState,
  lease: Lease,
  { items, now, log }: WorkerPorts,
): Promise<boolean> {
  const all = await items.of(subscription);
  const earlier = all.find(({ kind }) => kind === 'verify');
  await items.put([
    {
      ...{ subscription, kind: 'verify', about: '', due: new Date(now().getTime() + VERIFY_AFTER_MS) },
      since: earlier && earlier.since < startedOn ? earlier.since : startedOn,
      cause: { by: 'takeover', ref: '', since: startedOn.toISOString() },
      targets: { ...earlier?.targets, ...targets },
    },
  ]);
  const message = `${REASONS.LeaseTakenOver} It began ${startedOn.toISOString()}.`;
  log({ level: 'warning', reason: 'LeaseTakenOver', message, subscription, unclean });
  if (unclean < MOST_UNCLEAN) return true;
  const due = new Date(now().getTime() + Math.min(2 ** unclean * MINUTE_MS, HOUR_MS));
  const others = all.filter(({ kind }) => kind !== 'verify');
  await pMap(
    others,
    (item) => items.postpone(item, { due, attempts: item.attempts + 1, reason: 'SubscriptionFails' }),
    {
      concurrency: CONCURRENCY,
    },
  );
  log({
    level: 'error',
    reason: 'SubscriptionFails',
    subscription,
    message: `${REASONS.SubscriptionFails} ${unclean} passes in a row; the next one begins after ${due.toISOString()}.`,
  });
  await lease.save({ unclean, usage } satisfies PassState);
  return false;
}

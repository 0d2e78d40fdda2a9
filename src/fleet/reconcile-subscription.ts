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

/** A worker that dies may leave a PATCH behind; it lands within a minute, and is looked for after so long. Milliseconds. */
const VERIFY_AFTER_MS = 2 * GIVEN_UP_MS;
/** So many passes in a row that ended before their time: the subscription itself kills its worker. */
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
      readonly nextDue?: Date;
      readonly moved: number;
    };

/**
 * Works on everything that is wanted in one subscription, as the only worker that does: under its lease. Level-triggered:
 * the items say where to look, and nothing else.
 *
 * @param until no call is begun later; those in flight have their own deadlines
 * @throws the SDK's errors of the app's own storage; what is left is found by the sweep
 */
export async function reconcileSubscription(
  subscription: string,
  until: Date,
  ports: WorkerPorts,
): Promise<PassResult> {
  let moved = 0;
  for (;;) {
    const items = await ports.items.of(subscription);
    const dues = items.map((item) => dueOf(item, ports.now()).getTime());
    const nextDue = dues.length > 0 ? new Date(Math.min(...dues)) : undefined;
    // Asked again after each release: an item whose message met this holder is found here.
    if (!nextDue || nextDue > ports.now() || ports.now() >= until) {
      return { outcome: 'passed', moved, ...(nextDue ? { nextDue } : {}) };
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
        moved += await pass.run();
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
 * The worker before this one died: what it had in flight may still land, and is looked for when that is over.
 *
 * @returns whether to go on: not where one worker after the other dies of this subscription
 */
async function takeOver(
  subscription: string,
  { startedOn, targets }: Announcement,
  { unclean, usage }: PassState,
  lease: Lease,
  { items, now, log }: WorkerPorts,
): Promise<boolean> {
  const all = await items.of(subscription);
  const before = all.find(({ kind }) => kind === 'verify');
  await items.put([
    {
      ...{ subscription, kind: 'verify', about: '', due: new Date(now().getTime() + VERIFY_AFTER_MS) },
      since: before && before.since < startedOn ? before.since : startedOn,
      cause: { by: 'takeover', ref: '', since: startedOn.toISOString() },
      targets: { ...before?.targets, ...targets },
    },
  ]);
  const message = `${REASONS.LeaseTakenOver} It began ${startedOn.toISOString()}.`;
  log({ level: 'warning', reason: 'LeaseTakenOver', message, subscription, unclean });
  if (unclean < MOST_UNCLEAN) return true;
  const due = new Date(now().getTime() + Math.min(2 ** unclean * MINUTE_MS, HOUR_MS));
  const left = all.filter(({ kind }) => kind !== 'verify');
  await pMap(left, (item) => items.postpone(item, { due, attempts: item.attempts + 1, reason: 'SubscriptionFails' }), {
    concurrency: CONCURRENCY,
  });
  log({
    level: 'error',
    reason: 'SubscriptionFails',
    subscription,
    message: `${REASONS.SubscriptionFails} ${unclean} passes in a row; the next one begins after ${due.toISOString()}.`,
  });
  await lease.save({ unclean, usage } satisfies PassState);
  return false;
}

import type { LimitFunction } from 'p-limit';
import pMap from 'p-map';
import { describeError } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { REASONS, type Reason } from '../errors/reasons.ts';
import { type NewWorkItem, SWEEP_MS, type WorkItem } from '../index/work-items.ts';
import { type Cause, MOST_SUBSCRIPTIONS } from '../work/messages.ts';
import { getRetryDelay } from '../work/retry.ts';
import { reconcileSubscription } from './reconcile-subscription.ts';
import type { FleetServices, FleetWork } from './worker-ports.ts';

/** Delay of a retry if another worker holds the lease: that holder may be dead. Milliseconds. */
const BUSY_MS = 30_000;
/** Number of these retries. */
const BUSY_TRIES = 2;
/** Interval at which a pass that waits for a slot checks whether its time has ended. Milliseconds. */
const SLOT_STEP_MS = 1_000;

/**
 * Sends messages for the subscriptions of work items.
 *
 * @param visibleOn end of the visibility timeout; absent: visible at once
 */
export async function sendFor(
  items: readonly Pick<NewWorkItem, 'subscription'>[],
  cause: Cause,
  { send }: Pick<FleetServices, 'send'>,
  visibleOn?: Date,
): Promise<void> {
  const all = [...new Set(items.map(({ subscription }) => subscription))];
  const works: FleetWork[] = [];

  for (let start = 0; start < all.length; start += MOST_SUBSCRIPTIONS) {
    works.push({ subscriptions: all.slice(start, start + MOST_SUBSCRIPTIONS), tries: 0, cause });
  }

  await pMap(works, (work) => send(work, visibleOn), { concurrency: CONCURRENCY });
}

/**
 * Runs passes over the first ten subscriptions of work items, and sends messages for the others.
 *
 * @param until no call of a pass starts after this time
 */
export async function runFirstPasses(
  items: readonly Pick<NewWorkItem, 'subscription'>[],
  cause: Cause,
  until: Date,
  ports: FleetServices,
): Promise<void> {
  const all = [...new Set(items.map(({ subscription }) => subscription))];
  const first = all.slice(0, MOST_SUBSCRIPTIONS);
  const others = all.slice(MOST_SUBSCRIPTIONS).map((subscription) => ({ subscription }));

  await Promise.all([
    sendFor(others, cause, ports),
    handleFleetWork({ subscriptions: first, tries: 0, cause }, until, ports),
  ]);
}

/**
 * Runs a pass over each subscription of a message. Never throws: the work items remain, and the sweep finds them.
 *
 * @param until no call starts after this time
 */
export async function handleFleetWork(work: FleetWork, until: Date, ports: FleetServices): Promise<void> {
  await Promise.all(work.subscriptions.map((subscription) => runPass(subscription, work, until, ports)));
}

/**
 * Runs a pass once the instance's limit of passes admits it, and sends a message for the work that remains. If no slot is
 * free until its time ends, the pass runs without one: it then calls no account.
 */
async function runPass(subscription: string, work: FleetWork, until: Date, ports: FleetServices): Promise<void> {
  const slot = requestSlot(ports.capacity.passes);
  while (!slot.isTaken() && ports.now() < until) await Promise.race([slot.taken, ports.sleep(SLOT_STEP_MS)]);

  try {
    const next = await reconcileSubscription(subscription, until, ports);
    await sendNext({ ...work, subscriptions: [subscription] }, next, ports);
  } catch (error) {
    ports.log({ level: 'error', reason: 'PassFailed', message: `${REASONS.PassFailed} ${describeError(error)}` });
  } finally {
    slot.release();
  }
}

/** Requests a slot of a limit. Its holder, or who no longer waits for it, releases it. */
function requestSlot(limit: LimitFunction) {
  const taken = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  let isTaken = false;

  limit(async () => {
    isTaken = true;
    taken.resolve();
    await released.promise;
  });

  return { taken: taken.promise, isTaken: () => isTaken, release: () => released.resolve() };
}

/** @param next what {@link reconcileSubscription} returned */
async function sendNext(work: FleetWork, next: Date | 'busy' | undefined, { send, now }: FleetServices): Promise<void> {
  if (next === 'busy') {
    // The holder reads the items again before it ends. If a sweep sent the message, the holder may be dead.
    if (work.cause.by !== 'sweep' || work.tries >= BUSY_TRIES) return;

    await send({ ...work, tries: work.tries + 1 }, new Date(now().getTime() + BUSY_MS));
    return;
  }

  if (next && next.getTime() - now().getTime() < SWEEP_MS) await send({ ...work, tries: 0 }, next);
}

/**
 * Handles a `key-work` message. Never throws: records an error in the key's work item.
 *
 * @param reconcile reconciles the key
 */
export async function handleKeyWork(
  key: string,
  reconcile: () => Promise<void>,
  ports: Pick<FleetServices, 'items' | 'now' | 'log' | 'sendKey'>,
): Promise<void> {
  try {
    await reconcile();
  } catch (error) {
    ports.log({ level: 'error', reason: 'PassFailed', message: `${REASONS.PassFailed} ${describeError(error)}` });
    const retry = async (): Promise<void> => {
      const item = await ports.items.ofKey(key);
      if (item) await retryKey(item, item.cause, 'PassFailed', ports);
    };
    await retry().catch(() => {});
  }
}

/**
 * Schedules a retry of a key; the delay doubles with each attempt. A newer item of the key has its own message.
 *
 * @param cause cause in the message
 */
export async function retryKey(
  item: WorkItem,
  cause: Cause,
  reason: Reason,
  { items, now, sendKey }: Pick<FleetServices, 'items' | 'now' | 'sendKey'>,
): Promise<void> {
  const delayMs = getRetryDelay(item.attempts);
  const due = new Date(now().getTime() + delayMs);
  const isSame = await items.postpone(item, { due, attempts: item.attempts + 1, reason });
  if (isSame && delayMs < SWEEP_MS) await sendKey(item.about, cause, due);
}

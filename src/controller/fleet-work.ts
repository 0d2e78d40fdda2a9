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
 * Handles a `fleet-work` message. Never throws: the work items remain, and the sweep finds them.
 *
 * @param until no call starts after this time
 */
export async function handleFleetWork(work: FleetWork, until: Date, ports: FleetServices): Promise<void> {
  const { send, now, log } = ports;
  const one = async (subscription: string): Promise<void> => {
    const next = await reconcileSubscription(subscription, until, ports);
    const alone = { ...work, subscriptions: [subscription] };
    if (next === 'busy') {
      // The holder reads the items again before it ends. If a sweep sent the message, the holder may be dead.
      if (work.cause.by !== 'sweep' || work.tries >= BUSY_TRIES) return;
      await send({ ...alone, tries: work.tries + 1 }, new Date(now().getTime() + BUSY_MS));
    } else if (next && next.getTime() - now().getTime() < SWEEP_MS) {
      await send({ ...alone, tries: 0 }, next);
    }
  };

  await pMap(work.subscriptions, (subscription) =>
    one(subscription).catch((error: unknown) =>
      log({ level: 'error', reason: 'PassFailed', message: `${REASONS.PassFailed} ${describeError(error)}` }),
    ),
  );
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

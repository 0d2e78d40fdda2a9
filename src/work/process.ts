import { getMessage } from '../errors/errors.ts';
import type { Log } from '../errors/log.ts';
import { REASONS, type Reason } from '../errors/reasons.ts';
import { PARSERS, type WorkIn, type WorkQueueName } from './messages.ts';
import type { Outcome } from './outcome.ts';
import { getRetryDelay } from './retry.ts';
import type { WorkQueue } from './work-queue-client.ts';

/** host.json: `extensions.queues.maxDequeueCount`. After this many failures the host moves a message to poison. */
export const MAX_DEQUEUE_COUNT = 5;

/**
 * Attempts after which a message becomes poison: with the delays below about 100 minutes. That is longer than most
 * outages, and than the propagation of a role assignment (Azure RBAC troubleshooting: up to 10 minutes).
 */
export const MAX_ATTEMPTS = 24;

interface Received {
  /** The message from the host: an object for JSON, otherwise text. */
  readonly entry: unknown;
  /** Number of deliveries, including this one. */
  readonly dequeueCount: number;
}

/** Moves the message to the poison queue, with an error record. */
export type Poison = (reason: Reason, detail: string) => Promise<void>;

interface Delivery<Q extends WorkQueueName> {
  readonly queueName: Q;
  readonly received: Received;
  /** @param poison moves the message to the poison queue: the caller has more to do then */
  readonly run: (work: WorkIn<Q>, poison: Poison) => Promise<Outcome>;
  readonly queue: Pick<WorkQueue, 'send' | 'poison'>;
  readonly log: Log;
}

/**
 * Processes one message: then it is deleted, requeued with a delay, or moved to the poison queue with an error record.
 * If this function throws, the host delivers the message again. No message is lost.
 */
export async function processWork<Q extends WorkQueueName>(delivery: Delivery<Q>): Promise<void> {
  const { queueName, received, run, queue, log } = delivery;
  let work: WorkIn<Q> | undefined;
  try {
    work = PARSERS[queueName](received.entry) as WorkIn<Q>;

    const outcome = await run(work, (reason, detail) => poison(delivery, reason, detail));
    if (outcome.outcome === 'done') return;

    const { reason, detail } = outcome;
    if (outcome.outcome === 'reject') return await poison(delivery, reason, detail);

    // The host repeats any other message, whose retries are a work item's.
    if (work.kind !== 'revocation') throw new Error(detail);

    const next = planNextTry(work.attempt, outcome);
    if (!next) return await poison(delivery, reason, `Failed after ${work.attempt + 1} attempts. ${detail}`);

    await queue.send(queueName, { ...work, attempt: next.attempt }, next.delaySeconds);
    log({ level: 'warning', reason, message: `${REASONS[reason]} ${detail}`, work, ...next });
  } catch (error) {
    const isLast = received.dequeueCount >= MAX_DEQUEUE_COUNT;

    // A message of another format fails each time, so it is not delivered again.
    if (work && !isLast) throw error;

    const reason = work ? 'Unexpected' : 'InvalidMessage';
    try {
      // Moves the message here, since a message that the host moves to poison expires after a week.
      await poison(delivery, reason, getMessage(error));
    } catch {
      if (isLast) recordPoison(delivery, reason, getMessage(error));
      throw error;
    }
  }
}

/** Returns undefined after the last attempt. A throttled attempt does not count, so it never poisons a message. */
export function planNextTry(
  attempt: number,
  { counts, delaySeconds, maxTries = MAX_ATTEMPTS, schedule }: Omit<Extract<Outcome, { outcome: 'retry' }>, 'outcome'>,
): { readonly attempt: number; readonly delaySeconds: number } | undefined {
  if (!counts) return { attempt, delaySeconds: Math.max(1, delaySeconds ?? getRetryDelay(0) / 1_000) };
  if (attempt + 1 >= maxTries) return undefined;
  // A longer `Retry-After` takes precedence over the app's own schedule.
  const ownSeconds = getRetryDelay(attempt, schedule) / 1_000;
  return { attempt: attempt + 1, delaySeconds: Math.max(ownSeconds, delaySeconds ?? 0) };
}

type Delivered = Omit<Delivery<WorkQueueName>, 'run'>;

async function poison(delivery: Delivered, because: Reason, detail: string): Promise<void> {
  await delivery.queue.poison(delivery.queueName, toText(delivery.received.entry));
  recordPoison(delivery, because, detail);
}

/** Logs the record that the alert on poison messages queries. */
function recordPoison({ queueName: queue, received, log }: Delivered, because: Reason, detail: string): void {
  const entry = toText(received.entry).slice(0, 2_000);
  const message = `A message of ${queue} is in ${queue}-poison (${because}): ${detail} Fix the cause, then run \`cmk admin replay ${queue}\`.`;
  log({ level: 'error', reason: 'Poisoned', message, queue, because, detail, entry });
}

/** Returns a message in the queue's format: the host passes JSON as an object. */
export function toText(entry: unknown): string {
  return typeof entry === 'string' ? entry : (JSON.stringify(entry) ?? String(entry));
}

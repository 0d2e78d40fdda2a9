import { InvalidMessageError, messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { HOUR_MS } from '../time/spans.ts';
import type { AtMostEvery } from './at-most-every.ts';
import type { Work, WorkQueueName } from './messages.ts';
import type { Outcome } from './outcome.ts';
import { afterFailure, afterThrottling } from './retry.ts';
import type { WorkQueue } from './work-queue-client.ts';

/** host.json: `extensions.queues.maxDequeueCount`. After so many failed invocations the host moves a message to poison. */
export const MAX_DEQUEUE_COUNT = 5;

/** Work that is deferred for longer than this, without a try that counts, is reported. Milliseconds. */
const LONG_MS = HOUR_MS;

export interface Received {
  /** The message as the host hands it over: an object for JSON, else text. */
  readonly entry: unknown;
  /** How often it has been received, this time included. */
  readonly dequeueCount: number;
}

interface Delivery<W extends Work> extends Delivered {
  /** @throws {@link InvalidMessageError} */
  readonly parse: (entry: unknown) => W;
  readonly run: (work: W) => Promise<Outcome>;
}

interface Delivered {
  readonly queueName: WorkQueueName;
  readonly received: Received;
  readonly queue: WorkQueue;
  /** Limits how often this instance reports long deferral of the same group of work. */
  readonly reports: AtMostEvery;
  readonly now: () => Date;
  readonly log: Log;
}

/**
 * Runs one message; then it is done, requeued with a delay, or moved to the poison queue with an error record. If this function
 * throws, the host tries the message again. No message is lost.
 */
export async function processWork<W extends Work>(delivery: Delivery<W>): Promise<void> {
  const { received, parse, run } = delivery;
  try {
    let work: W;
    try {
      work = parse(received.entry);
    } catch (error) {
      if (!(error instanceof InvalidMessageError)) throw error;
      await poison(delivery, error.reason, error.message);
      return;
    }
    const outcome = await run(work);
    if (outcome.outcome === 'reject') await poison(delivery, outcome.reason, outcome.detail);
    if (outcome.outcome === 'retry') await requeue(delivery, work, outcome);
  } catch (error) {
    if (received.dequeueCount < MAX_DEQUEUE_COUNT) throw error;
    const detail = messageOf(error);
    try {
      // Moved here, since a message that the host moves to poison expires after a week.
      await poison(delivery, 'Unexpected', detail);
    } catch {
      recordPoison(delivery, 'Unexpected', detail);
      throw error;
    }
  }
}

async function requeue(
  delivery: Delivered,
  work: Work,
  outcome: Extract<Outcome, { outcome: 'retry' }>,
): Promise<void> {
  const { queueName, queue, reports, now, log } = delivery;
  const retry = outcome.counts
    ? afterFailure(work.attempt, outcome.maxTries)
    : afterThrottling({ retryAfterSeconds: outcome.delaySeconds }, work.attempt);
  if (!retry.again) {
    await poison(delivery, outcome.reason, `Failed after ${work.attempt + 1} tries. ${outcome.detail}`);
    return;
  }
  // A longer `Retry-After` takes precedence over the app's own schedule.
  const delaySeconds = Math.max(retry.delaySeconds, outcome.delaySeconds ?? 0);
  const { quiet } = outcome;
  const deferredSince = outcome.counts || quiet ? undefined : (work.deferredSince ?? now().toISOString());
  const next: Work = { ...work, attempt: retry.attempt, deferredSince };
  await queue.send(queueName, next, delaySeconds);
  const message = `${REASONS[outcome.reason]} ${outcome.detail}`;
  // Thousands of messages may wait for the same cause.
  if (quiet && !reports.due(`${outcome.reason} ${placeOf(work)}`, now().getTime())) return;
  log({
    level: quiet ? 'info' : 'warning',
    reason: outcome.reason,
    message,
    work,
    delaySeconds,
    attempt: retry.attempt,
  });
  if (deferredSince !== undefined) reportLong(delivery, next, deferredSince, outcome);
}

/** A throttled message never becomes a poison message, so that this report is the only alert. */
function reportLong(
  { queueName, reports, now, log }: Delivered,
  work: Work,
  deferredSince: string,
  { reason, detail }: Extract<Outcome, { outcome: 'retry' }>,
): void {
  const nowMs = now().getTime();
  const where = placeOf(work);
  if (nowMs - Date.parse(deferredSince) < LONG_MS || !reports.due(`${reason} ${where}`, nowMs)) return;
  const message = `${REASONS.DeferredForLong} ${where} since ${deferredSince} (${reason}): ${detail}`;
  log({ level: 'error', reason: 'DeferredForLong', message, queue: queueName, because: reason, deferredSince, work });
}

/**
 * Name of the group of work that is deferred for the same cause: a subscription and region, the target of notifications, or a
 * key.
 */
function placeOf(work: Work): string {
  if (work.kind === 'notify') return work.target;
  if (work.kind === 'changes') return work.kind;
  if (work.kind === 'subscriptions') return work.subscriptions[0] ?? '';
  if ('account' in work) return `${work.account.split('/')[2]}/${work.location}`;
  return 'key' in work ? work.key : work.kind;
}

async function poison(delivery: Delivered, because: Reason, detail: string): Promise<void> {
  await delivery.queue.poison(delivery.queueName, asText(delivery.received.entry));
  recordPoison(delivery, because, detail);
}

/** The record that the alert on poison messages queries. */
function recordPoison({ queueName: queue, received, log }: Delivered, because: Reason, detail: string): void {
  const entry = asText(received.entry).slice(0, 2_000);
  const message = `A message of ${queue} is in ${queue}-poison (${because}): ${detail} Fix what it says, then run \`cmk admin replay ${queue}\`.`;
  log({ level: 'error', reason: 'Poisoned', message, queue, because, detail, entry });
}

/** A message as it was in the queue: the host hands over JSON as an object. */
export function asText(entry: unknown): string {
  return typeof entry === 'string' ? entry : (JSON.stringify(entry) ?? String(entry));
}

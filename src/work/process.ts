import { InvalidMessageError } from '../errors.ts';
import type { Log } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
import type { Work, WorkQueueName } from './messages.ts';
import type { Outcome } from './outcome.ts';
import { afterFailure, afterThrottling, MAX_ATTEMPTS } from './retry.ts';
import type { WorkQueue } from './work-queue-client.ts';

/** host.json: `extensions.queues.maxDequeueCount`. After so many failed invocations the host moves a message to poison. */
export const MAX_DEQUEUE_COUNT = 5;

export interface Received {
  /** The message as the host hands it over: an object for JSON, else text. */
  readonly entry: unknown;
  /** How often it has been received, this time included. */
  readonly dequeueCount: number;
}

/**
 * Runs one message and sees to what becomes of it: finished, back into the queue with a delay, or into the poison queue
 * with an error record. When this function throws, the host tries the message again; nothing is lost either way.
 */
export async function processWork<W extends Work>(
  queueName: WorkQueueName,
  received: Received,
  parse: (entry: unknown) => W,
  run: (work: W) => Promise<Outcome>,
  queue: WorkQueue,
  log: Log,
): Promise<void> {
  const poison = async (reason: Reason, detail: string): Promise<void> => {
    await queue.poison(queueName, asText(received.entry));
    logPoison(log, queueName, reason, detail, received.entry);
  };
  try {
    let work: W;
    try {
      work = parse(received.entry);
    } catch (error) {
      if (!(error instanceof InvalidMessageError)) throw error;
      await poison(error.reason, error.message);
      return;
    }
    const outcome = await run(work);
    if (outcome.outcome === 'done') return;
    if (outcome.outcome === 'impossible') {
      await poison(outcome.reason, outcome.detail);
      return;
    }
    const retry = outcome.counts
      ? afterFailure(work.attempt)
      : afterThrottling({ retryAfterSeconds: outcome.delaySeconds }, work.attempt);
    if (!retry.again) {
      await poison(outcome.reason, `Given up after ${MAX_ATTEMPTS} tries. ${outcome.detail}`);
      return;
    }
    // A service that asked for a longer wait than our own schedule knows better.
    const delaySeconds = Math.max(retry.delaySeconds, outcome.delaySeconds ?? 0);
    await queue.send(queueName, { ...(outcome.with ?? work), attempt: retry.attempt }, delaySeconds);
    const message = `${REASONS[outcome.reason]} ${outcome.detail}`;
    log({ level: 'warning', reason: outcome.reason, message, work, delaySeconds, attempt: retry.attempt });
  } catch (error) {
    if (received.dequeueCount >= MAX_DEQUEUE_COUNT) {
      logPoison(log, queueName, 'Unexpected', error instanceof Error ? error.message : String(error), received.entry);
    }
    throw error;
  }
}

/** The record that the alert on poison messages looks for. */
function logPoison(log: Log, queue: string, cause: Reason, detail: string, entry: unknown): void {
  const message = `A message of ${queue} is in ${queue}-poison (${cause}): ${detail} Mend what it says, then run \`npm run replay -- ${queue}\`.`;
  log({
    level: 'error',
    reason: 'Poisoned',
    message,
    queue,
    because: cause,
    detail,
    entry: asText(entry).slice(0, 2_000),
  });
}

function asText(entry: unknown): string {
  return typeof entry === 'string' ? entry : (JSON.stringify(entry) ?? String(entry));
}

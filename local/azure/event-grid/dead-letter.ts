import { cloudEvent, eventGridEvent, type PublishedEvent } from './event-body.ts';
import type { Subscription } from './subscription.ts';

/** The blob that Event Grid writes for an event that it could not deliver. */
export interface DeadLetter {
  /** ARM id of the container. */
  readonly container: string;
  /** Name of the blob: subscription, date and hour, a new id. */
  readonly blobName: string;
  /** JSON: an array of one event with the reason, the number of attempts and the last outcome. */
  readonly body: string;
}

interface Undelivered {
  readonly event: PublishedEvent;
  readonly subscription: Subscription;
  readonly record: { attempts: readonly { time: string; status?: number; error?: string }[] };
  readonly publishedMs: number;
  readonly container: string;
  readonly reason: string;
  readonly now: Date;
}

/** The dead letter of an event. CloudEvents have the same properties in lower case. */
export function deadLetterDocument(undelivered: Undelivered): DeadLetter {
  const { event, subscription, record, publishedMs, container, reason, now } = undelivered;
  const last = record.attempts.at(-1);
  const extra = {
    deadLetterReason: reason,
    deliveryAttempts: record.attempts.length,
    lastDeliveryOutcome: last?.error ?? outcomeOf(last?.status),
    ...(last?.status ? { lastHttpStatusCode: last.status } : {}),
    publishTime: new Date(publishedMs).toISOString(),
    lastDeliveryAttemptTime: last?.time,
  };

  const isCloudEvent = subscription.schema.toLowerCase().startsWith('cloudevent');
  const lowerCased = Object.fromEntries(Object.entries(extra).map(([name, value]) => [name.toLowerCase(), value]));
  const [date = '', time = ''] = now.toISOString().split('T');

  return {
    container,
    blobName: `${subscription.name.toUpperCase()}/${date.replaceAll('-', '/')}/${time.slice(0, 2)}/${event.id}.json`,
    body: JSON.stringify([isCloudEvent ? cloudEvent(event, lowerCased) : eventGridEvent(event, extra)]),
  };
}

function outcomeOf(status: number | undefined): string {
  const known: Record<number, string> = {
    400: 'BadRequest',
    401: 'Unauthorized',
    403: 'Forbidden',
    404: 'NotFound',
    408: 'TimedOut',
    413: 'RequestEntityTooLarge',
    503: 'Busy',
  };

  return status === undefined ? 'Unknown' : (known[status] ?? `HttpStatus${status}`);
}

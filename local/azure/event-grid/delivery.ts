import { randomUUID } from 'node:crypto';
import type { DeliveryFault } from '../faults.ts';
import type { ResourceEvent, VaultEvent, World } from '../world.ts';
import { type DeadLetter, deadLetterDocument } from './dead-letter.ts';
import { deliveryRequest } from './delivery-request.ts';
import { type PublishedEvent, publishedEvent } from './event-body.ts';
import { Holding } from './holding.ts';
import { type Attempt, type EventRecord, giveUp, reasonOf } from './record.ts';
import { answerTimeoutMs, deadLetterDelayMs, isDelivered, isFinal, retryDelayMs } from './retry-policy.ts';
import { readSubscription, type Subscription, wants } from './subscription.ts';

export type { Attempt, EventRecord } from './record.ts';

export interface EventGridOptions {
  /** Base URL of the Functions host; undefined while it does not run, which counts as a failed attempt. */
  functionsHost: () => string | undefined;
  /** Takes the fault that is ordered for the next delivery to a function, once for each event and subscription. */
  takeDelivery: (functionName: string) => DeliveryFault | undefined;
  /** Stores a dead letter. Without it, dead letters are only in the records. */
  writeDeadLetter?: (letter: DeadLetter) => Promise<void>;
}

export interface EventGrid {
  publish(event: VaultEvent | ResourceEvent): void;
  /** One record for each event and subscription that matched it, in order of publication. */
  readonly events: readonly EventRecord[];
  /** Stops. Pending deliveries stay pending. */
  close(): void;
}

interface Delivery {
  readonly event: PublishedEvent;
  readonly subscription: Subscription;
  readonly record: EventRecord;
  readonly publishedMs: number;
  /** Cancels the planned retry or dead letter. */
  cancelNext: () => void;
}

/**
 * Event Grid: delivers each event to every matching subscription, and retries by the documented schedule (without its
 * jitter, and without probation of endpoints that keep failing).
 *
 * Faults of a delivery: `drop` loses the event for good; `duplicate` sends the first attempt that many times in
 * parallel; `delayMs` sends it later; `reorder` sends it after the next event of the same subscription has arrived.
 */
export function createEventGrid(world: World, options: EventGridOptions): EventGrid {
  const { clock } = world;
  const events: EventRecord[] = [];
  const holding = new Holding(clock);
  const abort = new AbortController();

  function publish(happened: VaultEvent | ResourceEvent): void {
    const event = publishedEvent(happened, randomUUID(), clock.now());
    const { id, time, type, subject } = event;

    for (const candidate of world.eventSubscriptions.values()) {
      if (!wants(candidate, event, clock.nowMs())) continue;

      const subscription = readSubscription(candidate);
      const record: EventRecord = {
        id,
        time,
        type,
        subject,
        subscription: subscription.id,
        function: subscription.functionName,
        attempts: [],
        outcome: 'pending',
      };

      events.push(record);
      begin({ event, subscription, record, publishedMs: clock.nowMs(), cancelNext: () => {} });
    }
  }

  function begin(delivery: Delivery): void {
    const { subscription, record } = delivery;
    const fault = options.takeDelivery(subscription.functionName ?? '') ?? {};
    const send = (): void => attempt(delivery, Math.max(fault.duplicate ?? 1, 1));
    if (fault.drop) giveUp(record, 'Lost: a fault was ordered.');
    else if (fault.reorder && holding.hold(subscription.id, send)) return;
    else if (fault.delayMs) clock.schedule(clock.nowMs() + fault.delayMs, send);
    else send();
  }

  function attempt(delivery: Delivery, copies: number): void {
    const { subscription, record, publishedMs } = delivery;
    if (record.outcome !== 'pending' || abort.signal.aborted) return;

    if (!world.eventSubscriptions.has(subscription.id.toLowerCase())) {
      giveUp(record, 'The event subscription was deleted.');
    } else if (clock.nowMs() - publishedMs > subscription.timeToLiveMs) {
      // Event Grid checks the time to live only when the next attempt is due.
      deadLetter(delivery, 'TimeToLiveExceeded');
    } else {
      for (let copy = 0; copy < copies; copy++) post(delivery);
    }
  }

  async function post(delivery: Delivery): Promise<void> {
    const { event, subscription, record } = delivery;
    const started = performance.now();
    const entry: Attempt = { time: clock.now().toISOString() };
    const count = record.attempts.push(entry) - 1;
    let failed = false;
    const fail = (failure: { status?: number; error?: string }): void => {
      if (failed) return; // it timed out before, which was counted
      failed = true;
      Object.assign(entry, failure);
      retryOrGiveUp(delivery, failure.status);
    };

    // The request continues after its time-out. If it succeeds before the retry is sent, the retry is cancelled.
    const cancelTimeout = clock.schedule(clock.nowMs() + answerTimeoutMs, () => fail({ error: 'TimedOut' }));
    try {
      const request = deliveryRequest(event, subscription, count, options.functionsHost());
      const response = await fetch(request, { signal: abort.signal });
      await response.body?.cancel();
      entry.status = response.status;
      if (isDelivered(response.status)) delivered(delivery);
      else fail({ status: response.status });
    } catch (error) {
      fail({ error: reasonOf(error) });
    } finally {
      cancelTimeout();
      entry.durationMs = Math.round(performance.now() - started);
    }
  }

  function delivered(delivery: Delivery): void {
    delivery.cancelNext();
    if (delivery.record.outcome === 'pending') delivery.record.outcome = 'delivered';
    holding.release(delivery.subscription.id);
  }

  function retryOrGiveUp(delivery: Delivery, status: number | undefined): void {
    const { subscription, record } = delivery;
    if (record.outcome !== 'pending' || abort.signal.aborted) return;

    const failures = record.attempts.length;

    if (status !== undefined && isFinal(status, subscription.endpointType)) {
      deadLetter(delivery, `NotRetried: ${status}`);
    } else if (failures >= subscription.maxAttempts) {
      deadLetter(delivery, 'MaxDeliveryAttemptsExceeded');
    } else {
      delivery.cancelNext(); // the retry of a copy that failed before
      const delayMs = retryDelayMs(failures, status, subscription.endpointType);
      delivery.cancelNext = clock.schedule(clock.nowMs() + delayMs, () => attempt(delivery, 1));
    }
  }

  function deadLetter(delivery: Delivery, reason: string): void {
    const { record, subscription } = delivery;
    const container = subscription.deadLetterContainer;

    delivery.cancelNext();

    if (!container) {
      giveUp(record, reason);
      return;
    }

    delivery.cancelNext = clock.schedule(clock.nowMs() + deadLetterDelayMs, () => {
      writeDeadLetter(delivery, container, reason);
    });
  }

  async function writeDeadLetter(delivery: Delivery, container: string, reason: string): Promise<void> {
    const { record } = delivery;
    if (record.outcome !== 'pending') return;

    try {
      await options.writeDeadLetter?.(deadLetterDocument({ ...delivery, container, reason, now: clock.now() }));
      record.outcome = 'dead-lettered';
      record.reason = reason;
      record.deadLetterContainer = container;
    } catch (error) {
      giveUp(record, `${reason}; the dead letter could not be written: ${reasonOf(error)}`);
    }
  }

  return { publish, events, close: () => abort.abort(new Error('The local Azure stops.')) };
}

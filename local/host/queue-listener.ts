import type { QueueClient } from '@azure/storage-queue';
import type { QueueSettings } from './host-json.ts';
import { describe } from './load-app.ts';
import type { Write } from './log.ts';
import { PollingDelay } from './polling-delay.ts';
import { decodeMessage, type QueueMessage } from './queue-message.ts';
import { queueErrorCode } from './queue-service-client.ts';

/** How long a message is hidden while a function works on it (renewed after half of it), as in the queue extension. */
const QUEUE_LEASE_MS = 600_000;

/** Deadline of a read. Milliseconds. */
const RECEIVE_MS = 30_000;

export interface QueueListenerOptions {
  readonly functionName: string;
  readonly queue: QueueClient;
  readonly poisonQueue: QueueClient;
  readonly settings: QueueSettings;
  readonly leaseMs?: number;
  /** Runs the function. */
  readonly run: (message: QueueMessage, text: string) => Promise<unknown>;
  readonly write: Write;
}

/** Gets messages from a queue for a function, as the queue extension of the real host does. */
export class QueueListener {
  readonly #options: QueueListenerOptions;
  readonly #leaseMs: number;
  readonly #delay: PollingDelay;
  readonly #working = new Set<Promise<void>>();
  #stopped = false;
  #loop: Promise<void> | undefined;
  #wake: () => void = () => undefined;
  #lastProblem: string | undefined;

  constructor(options: QueueListenerOptions) {
    this.#options = options;
    this.#leaseMs = options.leaseMs ?? QUEUE_LEASE_MS;
    this.#delay = new PollingDelay(options.settings.maxPollingIntervalMs);
  }

  get queueUrl(): string {
    return this.#options.queue.url;
  }

  start(): void {
    this.#loop ??= this.#poll();
  }

  /** Reads at once, since this host has sent a message to the queue. */
  wake(): void {
    this.#delay.reset();
    this.#wake();
  }

  /** Gets no more messages. Resolves once the functions of the present ones end. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake();
    await this.#loop;
    await Promise.all(this.#working);
  }

  async #poll(): Promise<void> {
    while (!this.#stopped) {
      if (await this.#takeBatch()) {
        this.#delay.reset();
        while (this.#working.size > this.#options.settings.newBatchThreshold) await Promise.race(this.#working);
      } else {
        await this.#pause(this.#delay.next());
      }
    }
  }

  #pause(ms: number): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Starts the function for up to a batch of messages; false if there are none. */
  async #takeBatch(): Promise<boolean> {
    const { queue, settings } = this.#options;
    try {
      const { receivedMessageItems: items } = await queue.receiveMessages({
        numberOfMessages: settings.batchSize,
        visibilityTimeout: Math.ceil(this.#leaseMs / 1000),
        // A read that hangs ends, so that the next one starts.
        abortSignal: AbortSignal.timeout(RECEIVE_MS),
      });

      this.#lastProblem = undefined;

      for (const item of items) {
        const work = this.#process(item).finally(() => this.#working.delete(work));
        this.#working.add(work);
      }

      return items.length > 0;
    } catch (error) {
      // A trigger does not create its queue: keep reading until the queue exists.
      const missing = queueErrorCode(error) === 'QueueNotFound';
      const problem = missing ? 'it does not exist yet' : describe(error);
      if (problem !== this.#lastProblem) {
        this.#log(missing ? 'information' : 'warning', `Queue '${queue.name}' cannot be read: ${problem}`);
      }

      this.#lastProblem = problem;

      return false;
    }
  }

  /** Never rejects: it logs what storage refuses, and the message returns when its lease ends. */
  async #process(message: QueueMessage): Promise<void> {
    const { settings, run } = this.#options;
    const lease = new Lease(this.#options.queue, message, this.#leaseMs, (error) =>
      this.#log('warning', `Message ${message.messageId} could not be kept hidden: ${describe(error)}`),
    );
    try {
      const text = decodeMessage(message.messageText, settings.messageEncoding);
      if (text === undefined) {
        await this.#poison(message, lease, 'it is not base64');
      } else if (message.dequeueCount > settings.maxDequeueCount) {
        await this.#poison(message, lease, `it was taken ${message.dequeueCount} times`);
      } else {
        const succeeded = await lease
          .keepWhile(() => run(message, text))
          .then(
            () => true,
            () => false,
          );

        if (succeeded) {
          await lease.deleteMessage();
        } else if (message.dequeueCount >= settings.maxDequeueCount) {
          await this.#poison(message, lease, `it failed ${message.dequeueCount} times`);
        } else {
          await lease.release(settings.visibilityTimeoutMs);
        }
      }
    } catch (error) {
      this.#log('error', `Message ${message.messageId} could not be completed: ${describe(error)}`);
    }
  }

  async #poison(message: QueueMessage, lease: Lease, why: string): Promise<void> {
    const { poisonQueue } = this.#options;
    await poisonQueue.createIfNotExists();
    await poisonQueue.sendMessage(message.messageText);
    await lease.deleteMessage();
    this.#log('warning', `Message ${message.messageId} was moved to '${poisonQueue.name}': ${why}.`);
  }

  #log(level: 'information' | 'warning' | 'error', message: string): void {
    this.#options.write(level, `Host.Queues.${this.#options.functionName}`, message);
  }
}

/** Holds a message. The pop receipt changes with every renewal. */
class Lease {
  readonly #queue: QueueClient;
  readonly #messageId: string;
  readonly #ms: number;
  readonly #failed: (error: unknown) => void;
  #popReceipt: string;

  constructor(queue: QueueClient, message: QueueMessage, ms: number, failed: (error: unknown) => void) {
    this.#queue = queue;
    this.#messageId = message.messageId;
    this.#popReceipt = message.popReceipt;
    this.#ms = ms;
    this.#failed = failed;
  }

  /** Hides the message while `work` runs. */
  async keepWhile<T>(work: () => Promise<T>): Promise<T> {
    let renewal: Promise<void> = Promise.resolve();
    const timer = setInterval(() => {
      renewal = renewal.then(() => this.release(this.#ms)).catch(this.#failed);
    }, this.#ms / 2);
    try {
      return await work();
    } finally {
      clearInterval(timer);
      await renewal;
    }
  }

  /** Makes the message visible after `ms`. */
  async release(ms: number): Promise<void> {
    const seconds = Math.ceil(ms / 1000);
    const { popReceipt } = await this.#queue.updateMessage(this.#messageId, this.#popReceipt, undefined, seconds);
    this.#popReceipt = popReceipt ?? this.#popReceipt;
  }

  async deleteMessage(): Promise<void> {
    try {
      await this.#queue.deleteMessage(this.#messageId, this.#popReceipt);
    } catch (error) {
      // Another listener holds or deleted it by now, so this one must not delete it.
      if (!['MessageNotFound', 'PopReceiptMismatch'].includes(queueErrorCode(error) ?? '')) throw error;
      this.#failed(error);
    }
  }
}

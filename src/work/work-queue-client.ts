import type { TokenCredential } from '@azure/identity';
import type { QueueServiceClient } from '@azure/storage-queue';
import { openWorkQueues } from '../azure/app-storage.ts';
import { runWithAbortSignal } from '../azure/deadline.ts';
import type { Settings } from '../settings/settings.ts';
import { NO_TELEMETRY, type Telemetry } from '../telemetry/telemetry.ts';
import { type Cause, KEY_WORK, PARSERS, WORK_QUEUES, type Work, type WorkQueueName } from './messages.ts';

/** Queues of work. Messages are plain JSON (host.json: `messageEncoding` none) and never expire. */
export interface WorkQueue {
  /** Sends a message that becomes visible after `delaySeconds` (at most 7 days; longer delays are truncated). */
  send(queue: WorkQueueName, work: Work, delaySeconds?: number): Promise<void>;
  /** Moves a message unchanged to the poison queue, like the host does after too many failures. */
  poison(queue: WorkQueueName, text: string): Promise<void>;
  /** Requeues a message unchanged without parsing it, hidden for a number of seconds. */
  requeueText(queue: WorkQueueName, text: string, delaySeconds: number): Promise<void>;
  /**
   * Returns the age of the oldest visible message of each queue in seconds; 0 if a queue is empty. Peeks at the first
   * 32 messages. The age of a delayed message starts at its due time.
   */
  ages(now: Date): Promise<ReadonlyMap<string, number>>;
}

/**
 * Requests a reconcile of a key by a work item and a message. Either is enough.
 *
 * @param key identifier without a version
 * @throws the SDK's error if both fail
 */
export type RequestKey = (key: string, cause: Cause) => Promise<void>;

/** Requests a reconcile by message only, for a caller without write access to the table of work items. */
export function requestByMessage(queue: Pick<WorkQueue, 'send'>): RequestKey {
  return (key, cause) => queue.send(KEY_WORK, { kind: 'key', key, cause });
}

/** Deadline for the ages of all queues together. Milliseconds. */
const AGES_MS = 5_000;

/** Visibility timeout of a message during its replay, after which an invalid message shows again. Seconds. */
const VISIBILITY_SECONDS = 120;

/** Azure Queue Storage allows a visibility timeout of at most 7 days; one minute less allows for clock skew. */
const MOST_DELAY_SECONDS = 7 * 24 * 3600 - 60;

/** Characters that XML forbids. Azure sends messages as XML, so such a message blocks its queue. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern removes control characters
const NOT_XML = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g;

export function createWorkQueue(
  settings: Pick<Settings, 'storage'>,
  credential: () => TokenCredential,
  telemetry: Pick<Telemetry, 'traceparent'> = NO_TELEMETRY,
): WorkQueue {
  const textOf = (work: Work): string =>
    JSON.stringify({ ...work, traceparent: telemetry.traceparent() ?? work.traceparent });
  const service = openWorkQueues(settings, credential);
  const send = async (queue: string, text: string, visibilityTimeout: number): Promise<void> => {
    const options = { visibilityTimeout, messageTimeToLive: -1 };
    await service.getQueueClient(queue).sendMessage(text.replace(NOT_XML, '\uFFFD'), options);
  };

  return {
    send: (queue, work, delaySeconds = 0) =>
      send(queue, textOf(work), Math.min(Math.ceil(delaySeconds), MOST_DELAY_SECONDS)),
    requeueText: (queue, text, delaySeconds) => send(queue, text, delaySeconds),
    poison: (queue, text) => send(`${queue}-poison`, text, 0),
    async ages(now) {
      const ageOf = async (queue: WorkQueueName, limit: { readonly abortSignal: AbortSignal }) => {
        const peek = { numberOfMessages: 32, ...limit };
        const { peekedMessageItems } = await service.getQueueClient(queue).peekMessages(peek);
        const since = peekedMessageItems.map(({ insertedOn, messageText }) =>
          Math.max(insertedOn.getTime(), dueOf(messageText)),
        );
        return [queue, Math.max(0, now.getTime() - Math.min(now.getTime(), ...since)) / 1000] as const;
      };

      return new Map(
        await runWithAbortSignal(AGES_MS, (limit) => Promise.all(WORK_QUEUES.map((queue) => ageOf(queue, limit)))),
      );
    },
  };
}

/** Returns the end of a message's visibility timeout; 0 without a timeout. */
function dueOf(text: string): number {
  const [, due = ''] = /"due":"([^"]{1,40})"/.exec(text) ?? [];
  return Date.parse(due) || 0;
}

interface ReplayResult {
  readonly replayed: number;
  /** Invalid messages, which remain in the poison queue for an operator. */
  readonly left: readonly string[];
  /** Number of messages that another client has hidden for up to two minutes; absent for none. */
  readonly hidden?: number;
}

/**
 * Moves the messages of a poison queue back to the work queue, with their attempts reset. Sends each message before
 * deleting the poison message. After a crash in between the message exists twice, which is harmless.
 */
export async function replay(service: QueueServiceClient, queue: WorkQueueName): Promise<ReplayResult> {
  const work = service.getQueueClient(queue);
  const from = service.getQueueClient(`${queue}-poison`);

  // Messages that arrive later are for the next replay: replayed messages may have failed again.
  const { approximateMessagesCount: most = 0 } = await from.getProperties();
  const left: string[] = [];
  let replayed = 0;
  while (replayed + left.length < most) {
    const { receivedMessageItems } = await from.receiveMessages({
      numberOfMessages: Math.min(32, most - replayed - left.length),
      visibilityTimeout: VISIBILITY_SECONDS,
    });
    if (receivedMessageItems.length === 0) break;

    for (const { messageText, messageId, popReceipt } of receivedMessageItems) {
      const restarted = restart(queue, messageText);
      if (restarted === undefined) {
        left.push(messageText);
        continue;
      }

      await work.sendMessage(restarted, { messageTimeToLive: -1 });
      await from.deleteMessage(messageId, popReceipt);
      replayed += 1;
    }
  }

  const hidden = most - replayed - left.length;

  return { replayed, left, ...(hidden > 0 ? { hidden } : {}) };
}

/** Returns the message as a new request, with its attempts reset; undefined for an invalid message. */
function restart(queue: WorkQueueName, text: string): string | undefined {
  try {
    const work = PARSERS[queue](JSON.parse(text));
    const request = work.kind === 'revocation' ? { ...work, attempt: 0 } : { ...work, hint: undefined };
    return JSON.stringify(request);
  } catch {
    return undefined;
  }
}

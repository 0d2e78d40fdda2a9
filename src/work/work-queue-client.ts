import type { TokenCredential } from '@azure/identity';
import { workQueues } from '../azure/app-storage.ts';
import { withinTime } from '../azure/deadline.ts';
import type { Settings } from '../settings/settings.ts';
import { NO_TELEMETRY, type Telemetry } from '../telemetry/telemetry.ts';
import { type Cause, KEY_WORK, WORK_QUEUES, type Work, type WorkQueueName } from './messages.ts';

/** Queues of work. Messages are plain JSON (host.json: `messageEncoding` none) and never expire. */
export interface WorkQueue {
  /** Sends a message that becomes visible after `delaySeconds` (at most 7 days; longer delays are truncated). */
  send(queue: WorkQueueName, work: Work, delaySeconds?: number): Promise<void>;
  /** Moves a message unchanged to the poison queue, like the host does after too many failures. */
  poison(queue: WorkQueueName, text: string): Promise<void>;
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
  return (key, cause) => queue.send(KEY_WORK, { kind: 'key', key, cause, attempt: 0 });
}

export interface QueueLengths {
  /** Azure's approximate number of messages in a queue, including hidden messages. */
  length(queue: WorkQueueName): Promise<number>;
}

interface QueueAdmin {
  /** Requeues a message unchanged without parsing it, hidden for a number of seconds. */
  requeueText(queue: WorkQueueName, text: string, delaySeconds: number): Promise<void>;
  /**
   * Returns the age of the oldest visible message of each queue in seconds; 0 if a queue is empty. Peeks at the first
   * 32 messages. The age of a delayed message starts at its due time.
   */
  ages(now: Date): Promise<ReadonlyMap<string, number>>;
}

/** Deadline for the ages of all queues together. Milliseconds. */
const AGES_MS = 5_000;

/** Azure Queue Storage allows a visibility timeout of at most 7 days; one minute less allows for clock skew. */
const MOST_DELAY_SECONDS = 7 * 24 * 3600 - 60;

/** Characters that XML forbids. Azure sends messages as XML, so such a message blocks its queue. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern removes control characters
const NOT_XML = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g;

export function createWorkQueue(
  settings: Pick<Settings, 'storage'>,
  credential: () => TokenCredential,
  telemetry: Pick<Telemetry, 'traceparent'> = NO_TELEMETRY,
): WorkQueue & QueueLengths & QueueAdmin {
  const textOf = (work: Work): string =>
    JSON.stringify({ ...work, traceparent: telemetry.traceparent() ?? work.traceparent });
  const service = workQueues(settings, credential);
  const send = async (queue: string, text: string, visibilityTimeout: number): Promise<void> => {
    const options = { visibilityTimeout, messageTimeToLive: -1 };
    await service.getQueueClient(queue).sendMessage(text.replace(NOT_XML, '\uFFFD'), options);
  };
  return {
    send: (queue, work, delaySeconds = 0) =>
      send(queue, textOf(work), Math.min(Math.ceil(delaySeconds), MOST_DELAY_SECONDS)),
    requeueText: (queue, text, delaySeconds) => send(queue, text, delaySeconds),
    length: async (queue) => (await service.getQueueClient(queue).getProperties()).approximateMessagesCount ?? 0,
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
        await withinTime(AGES_MS, (limit) => Promise.all(WORK_QUEUES.map((queue) => ageOf(queue, limit)))),
      );
    },
  };
}

/** Returns the end of a message's visibility timeout; 0 without a timeout. */
function dueOf(text: string): number {
  const [, due = ''] = /"due":"([^"]{1,40})"/.exec(text) ?? [];
  return Date.parse(due) || 0;
}

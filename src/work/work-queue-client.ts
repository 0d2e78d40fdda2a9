import type { TokenCredential } from '@azure/identity';
import { workQueues } from '../azure/app-storage.ts';
import type { Settings } from '../settings/settings.ts';
import { NO_TELEMETRY, type Telemetry } from '../telemetry/telemetry.ts';
import { type Cause, KEY_WORK, type Work, type WorkQueueName } from './messages.ts';

/** Where work waits. Messages are plain JSON (host.json: `messageEncoding` none) and never expire. */
export interface WorkQueue {
  /** Adds a message that becomes visible after `delaySeconds` (at most 7 days; more is cut to that). */
  send(queue: WorkQueueName, work: Work, delaySeconds?: number): Promise<void>;
  /** Puts a message that cannot be done where the host puts those that fail too often, as it was received. */
  poison(queue: WorkQueueName, text: string): Promise<void>;
}

/**
 * Has a key reconciled: puts its work item, then its message, either of which is enough.
 *
 * @param key identifier without a version
 * @throws the SDK's error when neither could be put
 */
export type RequestKey = (key: string, cause: Cause) => Promise<void>;

/** The same by a message alone: for a caller who may not write to the table of work items. */
export function requestByMessage(queue: Pick<WorkQueue, 'send'>): RequestKey {
  return (key, cause) => queue.send(KEY_WORK, { kind: 'key', key, cause, attempt: 0 });
}

export interface QueueLengths {
  /** Messages in a queue, hidden ones included, as far as the service knows. */
  length(queue: WorkQueueName): Promise<number>;
}

interface TextRequeue {
  /** Requeues a message as it was received, without parsing it, hidden for so many seconds. */
  requeueText(queue: WorkQueueName, text: string, delaySeconds: number): Promise<void>;
}

/** Azure Queue Storage allows a visibility timeout of at most 7 days; one minute less allows for clock skew. */
const MOST_DELAY_SECONDS = 7 * 24 * 3600 - 60;

/** Messages travel as XML, which has no place for these; a queue that holds one gives out nothing any more. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const NOT_XML = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g;

export function createWorkQueue(
  settings: Pick<Settings, 'storage'>,
  credential: () => TokenCredential,
  telemetry: Pick<Telemetry, 'traceparent'> = NO_TELEMETRY,
): WorkQueue & QueueLengths & TextRequeue {
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
  };
}

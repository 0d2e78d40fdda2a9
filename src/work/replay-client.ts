import type { QueueServiceClient } from '@azure/storage-queue';
import {
  FLEET_WORK,
  KEY_WORK,
  NOTIFY_WORK,
  parseFleetWork,
  parseKeyQueueWork,
  parseNotifyWork,
  type Work,
  type WorkQueueName,
} from './messages.ts';

/** Visibility timeout of a message during its replay, after which an invalid message shows again. Seconds. */
const VISIBILITY_SECONDS = 120;

const PARSERS: Readonly<Record<WorkQueueName, (entry: unknown) => Work>> = {
  [KEY_WORK]: parseKeyQueueWork,
  [FLEET_WORK]: parseFleetWork,
  [NOTIFY_WORK]: parseNotifyWork,
};

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
  const [work, from] = [service.getQueueClient(queue), service.getQueueClient(`${queue}-poison`)];
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

/** Returns the message with its attempts reset; undefined for an invalid message. */
function restart(queue: WorkQueueName, text: string): string | undefined {
  try {
    const work = PARSERS[queue](JSON.parse(text));
    return JSON.stringify({ ...work, attempt: 0 });
  } catch {
    return undefined;
  }
}

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

/** Visibility timeout of a message during its replay. Seconds. */
const VISIBILITY_SECONDS = 60;

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
  const left = new Map<string, string>();
  let replayed = 0;
  // Skips messages that arrive after the start: replayed messages may have failed again.
  let startedOn: Date | undefined;
  for (;;) {
    const { receivedMessageItems, date } = await from.receiveMessages({
      numberOfMessages: 32,
      visibilityTimeout: VISIBILITY_SECONDS,
    });
    startedOn ??= date ?? new Date();
    const until = startedOn;
    // If only skipped messages return after their visibility timeout, the loop has read every message.
    const fresh = receivedMessageItems.filter(
      ({ messageId, insertedOn }) => !left.has(messageId) && insertedOn <= until,
    );
    if (fresh.length === 0) {
      // The count includes hidden messages.
      const { approximateMessagesCount = 0 } = await from.getProperties();
      const hidden = approximateMessagesCount - left.size;
      return { replayed, left: [...left.values()], ...(hidden > 0 ? { hidden } : {}) };
    }
    for (const message of fresh) {
      const restarted = restart(queue, message.messageText);
      if (restarted === undefined) {
        left.set(message.messageId, message.messageText);
        continue;
      }
      await work.sendMessage(restarted, { messageTimeToLive: -1 });
      await from.deleteMessage(message.messageId, message.popReceipt);
      replayed += 1;
    }
  }
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

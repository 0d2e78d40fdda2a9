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

/** How long a message is out of sight while it is put back. Seconds. */
const VISIBILITY_SECONDS = 60;

const PARSERS: Readonly<Record<WorkQueueName, (entry: unknown) => Work>> = {
  [KEY_WORK]: parseKeyQueueWork,
  [FLEET_WORK]: parseFleetWork,
  [NOTIFY_WORK]: parseNotifyWork,
};

interface ReplayResult {
  readonly replayed: number;
  /** Messages in no form of the app: they stay in the poison queue for an operator. */
  readonly left: readonly string[];
  /** Messages that another client has received, and that are hidden for up to two minutes; absent: none. */
  readonly hidden?: number;
}

/**
 * Puts the messages of a poison queue back to work, with their tries counted from zero. Each is added to the work queue
 * before it is taken off the poison queue: killed in between, it is there twice, and doing it twice changes nothing.
 */
export async function replay(service: QueueServiceClient, queue: WorkQueueName): Promise<ReplayResult> {
  const [work, from] = [service.getQueueClient(queue), service.getQueueClient(`${queue}-poison`)];
  const left = new Map<string, string>();
  let replayed = 0;
  // What arrives while this runs may be what was just put back and failed again: it is left for the next run.
  let startedOn: Date | undefined;
  for (;;) {
    const { receivedMessageItems, date } = await from.receiveMessages({
      numberOfMessages: 32,
      visibilityTimeout: VISIBILITY_SECONDS,
    });
    startedOn ??= date ?? new Date();
    const until = startedOn;
    // A message that is ours to leave comes back after its time out of sight: then every message has been seen.
    const fresh = receivedMessageItems.filter(
      ({ messageId, insertedOn }) => !left.has(messageId) && insertedOn <= until,
    );
    if (fresh.length === 0) {
      // Hidden messages count too.
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

/** The same message with its tries counted anew; undefined for one that could only end in the poison queue again. */
function restart(queue: WorkQueueName, text: string): string | undefined {
  try {
    const work = PARSERS[queue](JSON.parse(text));
    return JSON.stringify({ ...work, attempt: 0 });
  } catch {
    return undefined;
  }
}

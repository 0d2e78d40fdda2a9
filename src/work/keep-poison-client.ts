import type { QueueClient, QueueServiceClient } from '@azure/storage-queue';
import { describeFailure } from '../azure/failure.ts';
import { withinTime } from '../azure/time-box.ts';
import { WORK_QUEUES, type WorkQueueName } from './messages.ts';

/** How long a message is out of sight while it is put back. Seconds. */
const VISIBILITY_SECONDS = 120;
/** Well before the first message is in sight again. What is not reached by then, the next check reaches. Milliseconds. */
const TIME_MS = 60_000;
/** Queue Storage answers the year 9999 for a message that does not expire. */
const NEVER = Date.UTC(9000, 0);

export interface PoisonKeeper {
  /** Sees to it that no poison message expires; those that would have, as they are. */
  keepPoison(): ReturnType<typeof keepPoison>;
}

/**
 * Puts the messages of the poison queues that would expire back so that they do not: the Functions host gives what it moves
 * the service's default of seven days. Each is added anew before it is deleted: killed in between, it is there twice.
 *
 * @returns the messages that were put back
 * @throws the SDK's error
 */
export async function keepPoison(service: QueueServiceClient): Promise<{ queue: WorkQueueName; text: string }[]> {
  const kept: { queue: WorkQueueName; text: string }[] = [];
  for (const queue of WORK_QUEUES) {
    try {
      const texts = await keepQueue(service.getQueueClient(`${queue}-poison`));
      kept.push(...texts.map((text) => ({ queue, text })));
    } catch (error) {
      if (describeFailure(error).kind !== 'notFound') throw error;
    }
  }
  return kept;
}

async function keepQueue(poison: QueueClient): Promise<string[]> {
  const kept: string[] = [];
  // One call and nothing hidden from whoever replays, as long as there is nothing to do.
  const { peekedMessageItems } = await withinTime(TIME_MS, (limit) =>
    poison.peekMessages({ numberOfMessages: 32, ...limit }),
  );
  if (peekedMessageItems.length < 32 && !peekedMessageItems.some(expires)) return kept;
  await withinTime(TIME_MS, async (limit) => {
    for (;;) {
      const { receivedMessageItems } = await poison.receiveMessages({
        numberOfMessages: 32,
        visibilityTimeout: VISIBILITY_SECONDS,
        ...limit,
      });
      if (receivedMessageItems.length === 0) return;
      for (const { messageId, messageText, popReceipt } of receivedMessageItems.filter(expires)) {
        await poison.sendMessage(messageText, { messageTimeToLive: -1, ...limit });
        await poison.deleteMessage(messageId, popReceipt, limit);
        kept.push(messageText);
      }
    }
  });
  return kept;
}

function expires({ expiresOn }: { readonly expiresOn: Date }): boolean {
  return expiresOn.getTime() < NEVER;
}

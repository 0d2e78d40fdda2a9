import type { TokenCredential } from '@azure/identity';
import type { QueueServiceClient } from '@azure/storage-queue';
import { workQueues } from '../azure/app-storage.ts';
import { withinTime } from '../azure/deadline.ts';
import type { Settings } from '../settings/settings.ts';
import { WORK_QUEUES } from './messages.ts';

/** Deadline for all queues together. Milliseconds. */
const TIME_MS = 5_000;

/**
 * Returns the age of the oldest visible message of each queue in seconds; 0 if a queue is empty. Peeks at the first
 * 32 messages. The age of a delayed message starts at its due time.
 *
 * @throws the SDK's errors
 */
export async function queueAges(
  settings: Pick<Settings, 'storage'>,
  credential: () => TokenCredential,
  now: Date,
): Promise<ReadonlyMap<string, number>> {
  const service = workQueues(settings, credential);
  return withinTime(TIME_MS, async (limit) => {
    const ages = await Promise.all(WORK_QUEUES.map((queue) => ageOf(service, queue, now, limit)));
    return new Map(WORK_QUEUES.map((queue, index) => [queue, ages[index] ?? 0]));
  });
}

async function ageOf(
  service: QueueServiceClient,
  queue: string,
  now: Date,
  limit: { readonly abortSignal: AbortSignal },
): Promise<number> {
  const { peekedMessageItems } = await service.getQueueClient(queue).peekMessages({ numberOfMessages: 32, ...limit });
  const since = peekedMessageItems.map(({ insertedOn, messageText }) =>
    Math.max(insertedOn.getTime(), dueOf(messageText)),
  );
  return Math.max(0, now.getTime() - Math.min(now.getTime(), ...since)) / 1000;
}

/** Returns the end of a message's visibility timeout; 0 without a timeout. */
function dueOf(text: string): number {
  const [, due = ''] = /"due":"([^"]{1,40})"/.exec(text) ?? [];
  return Date.parse(due) || 0;
}

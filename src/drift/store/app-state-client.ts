import type { ContainerClient } from '@azure/storage-blob';
import type { QueueServiceClient } from '@azure/storage-queue';
import { withinTime } from '../../azure/deadline.ts';
import { describeFailure } from '../../azure/failure.ts';
import { WORK_QUEUES } from '../../work/messages.ts';
import type { DeadLetter } from '../checks/subjects.ts';
import { downloadText, listBlobs } from './blobs-client.ts';
import { parseDeadLetters } from './dead-letters.ts';

/** Dead letters that are looked into at most: a vault in trouble makes them by the thousand. */
const MAX_DEAD_LETTERS = 100;
/** For all the requests of a call, and what they send. Milliseconds. */
const TIMEOUT_MS = 30_000;

/** How the app itself is doing. */
export interface AppState {
  /** How many messages wait in each poison queue. */
  poisonMessages(): Promise<{ queue: string; messages: number }[]>;
  deadLetters(since: Date): Promise<DeadLetter[]>;
}

export function appState(container: ContainerClient, queues: QueueServiceClient): AppState {
  const waiting = async (queue: string): Promise<number> => {
    try {
      const { approximateMessagesCount = 0 } = await withinTime(TIMEOUT_MS, (limit) =>
        queues.getQueueClient(queue).getProperties(limit),
      );
      return approximateMessagesCount;
    } catch (error) {
      if (describeFailure(error).kind !== 'notFound') throw error;
      return 0;
    }
  };
  return {
    poisonMessages: () =>
      Promise.all(
        WORK_QUEUES.map((name) => `${name}-poison`).map(async (queue) => ({ queue, messages: await waiting(queue) })),
      ),
    async deadLetters(since) {
      const newest = (await listBlobs(container, ''))
        .map(({ name, properties }) => ({ name, writtenOn: properties.lastModified }))
        .filter(({ writtenOn }) => writtenOn >= since)
        .sort((a, b) => b.writtenOn.getTime() - a.writtenOn.getTime())
        .slice(0, MAX_DEAD_LETTERS);
      const read = await Promise.all(
        newest.map(async ({ name, writtenOn }) => parseDeadLetters(await downloadText(container, name), writtenOn)),
      );
      return read.flat();
    },
  };
}

import type { TableClient } from '@azure/data-tables';
import type { ContainerClient } from '@azure/storage-blob';
import type { QueueServiceClient } from '@azure/storage-queue';
import { z } from 'zod';
import { downloadText, listBlobs } from '../../azure/blobs.ts';
import { withinTime } from '../../azure/deadline.ts';
import { describeFailure, isTableMissing } from '../../azure/failure.ts';
import { parseJson } from '../../text.ts';
import { WORK_QUEUES } from '../../work/messages.ts';
import type { DeadLetter, LegacyApproval, LegacyOrder } from '../checks/subjects.ts';

/** Maximum number of dead letters to read. A failing vault creates thousands. */
const MAX_DEAD_LETTERS = 100;
/** Deadline for all requests of one call, including downloads. Milliseconds. */
const TIMEOUT_MS = 30_000;

const LEGACY_ORDER = z.object({
  id: z.string(),
  from: z.string(),
  to: z.string(),
  state: z.enum(['moving', 'takingBack']),
});

/** Container of version 2. */
export const LEGACY_APPROVALS = 'cmk-approvals';
const LEGACY_APPROVAL = z.object({
  id: z.string(),
  action: z.string(),
  vault: z.string().optional(),
  key: z.string().optional(),
  askedBy: z.object({ objectId: z.string() }),
});

interface AppStateStores {
  readonly deadLetters: ContainerClient;
  /** Storage of version 2. */
  readonly approvals: ContainerClient;
  /** Storage of version 2, opened only on use: a connection string may have no table endpoint. */
  readonly rekeys: () => TableClient;
}

/** State of the app itself. */
export type AppState = ReturnType<typeof appState>;

export function appState({ deadLetters, approvals, rekeys }: AppStateStores, queues: QueueServiceClient) {
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
    /** Number of messages in each poison queue. */
    poisonMessages: (): Promise<{ queue: string; messages: number }[]> =>
      Promise.all(
        WORK_QUEUES.map((name) => `${name}-poison`).map(async (queue) => ({ queue, messages: await waiting(queue) })),
      ),
    async deadLetters(since: Date): Promise<DeadLetter[]> {
      const newest = (await listBlobs(deadLetters, ''))
        .map(({ name, properties }) => ({ name, writtenOn: properties.lastModified }))
        .filter(({ writtenOn }) => writtenOn >= since)
        .sort((a, b) => b.writtenOn.getTime() - a.writtenOn.getTime())
        .slice(0, MAX_DEAD_LETTERS);
      const read = await Promise.all(
        newest.map(async ({ name, writtenOn }) => parseDeadLetters(await downloadText(deadLetters, name), writtenOn)),
      );
      return read.flat();
    },
    /** Unfinished re-keys of version 2. */
    async legacyOrders(): Promise<LegacyOrder[]> {
      const orders: LegacyOrder[] = [];
      try {
        for await (const { order } of rekeys().listEntities({ queryOptions: { filter: "PartitionKey eq 'order'" } })) {
          const read = LEGACY_ORDER.safeParse(parseJson(String(order ?? ''))).data;
          if (read) orders.push(read);
        }
      } catch (error) {
        if (!isTableMissing(error)) throw error;
      }
      return orders;
    },
    /** Open approval requests of version 2. They expire after eight hours. */
    async legacyApprovals(now: Date): Promise<LegacyApproval[]> {
      const open = (await listBlobs(approvals, '', { includeMetadata: true })).filter(
        ({ metadata = {} }) => metadata.state === 'waiting' && Date.parse(metadata.expireson ?? '') > now.getTime(),
      );
      const read = open.map(async ({ name }) => {
        const request = LEGACY_APPROVAL.safeParse(parseJson((await downloadText(approvals, name)) ?? '')).data;
        return request ?? [];
      });
      return (await Promise.all(read)).flat();
    },
  };
}

const text = z.string().catch('unknown');

/** Fields that Event Grid adds, in lower case for CloudEvents (Event Grid, "dead letter and retry"). */
const DEAD_LETTER = z
  .looseObject({})
  .transform((event) => new Map(Object.entries(event).map(([name, value]) => [name.toLowerCase(), value])))
  .transform((fields) => ({
    source: text.parse(fields.get('source') ?? fields.get('topic')),
    type: text.parse(fields.get('type') ?? fields.get('eventtype')),
    reason: text.parse(fields.get('deadletterreason')),
    lastOutcome: text.parse(fields.get('lastdeliveryoutcome')),
  }));

/** The events in one blob of Event Grid. Skips other content, because another writer may add a blob. */
export function parseDeadLetters(content: string | undefined, writtenOn: Date): DeadLetter[] {
  const parsed = parseJson(content ?? '');
  if (parsed === undefined) return [];
  return (Array.isArray(parsed) ? parsed : [parsed]).flatMap((event) => {
    const read = DEAD_LETTER.safeParse(event).data;
    return read ? [{ ...read, writtenOn }] : [];
  });
}

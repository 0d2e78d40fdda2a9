import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import { controlContainer, controlTable, workQueues } from '../../azure/app-storage.ts';
import { downloadText, listBlobs } from '../../azure/blobs.ts';
import { withinTime } from '../../azure/deadline.ts';
import { isTableMissing, unlessMissing } from '../../azure/failure.ts';
import { DEAD_LETTER_CONTAINER } from '../../events/subscription.ts';
import type { Settings } from '../../settings/settings.ts';
import { parseJson } from '../../text.ts';
import { WORK_QUEUES } from '../../work/messages.ts';

/** Maximum number of dead letters to read. A failing vault creates thousands. */
const MAX_DEAD_LETTERS = 100;
/** Deadline for all requests of one call, including downloads. Milliseconds. */
const TIMEOUT_MS = 30_000;

/** Table of version 2 with its re-keys. */
const LEGACY_ORDERS = 'cmkrekeys';
const LEGACY_ORDER = z.object({
  id: z.string(),
  /** Key identifiers without a version. */
  from: z.string(),
  to: z.string(),
  state: z.enum(['moving', 'takingBack']),
});
/** An unfinished re-key of version 2. */
export type LegacyOrder = z.output<typeof LEGACY_ORDER>;

/** Container of version 2 with its approval requests. */
const LEGACY_APPROVALS = 'cmk-approvals';
const LEGACY_APPROVAL = z.object({
  id: z.string(),
  action: z.string(),
  /** Absent for all keys. */
  vault: z.string().optional(),
  key: z.string().optional(),
  askedBy: z.object({ objectId: z.string() }),
});
/** An open approval request in the storage of version 2. */
export type LegacyApproval = z.output<typeof LEGACY_APPROVAL>;

/** State of the app itself. */
export type AppState = ReturnType<typeof appState>;

export function appState(settings: Pick<Settings, 'storage'>, credential: () => TokenCredential) {
  const queues = workQueues(settings, credential);
  const deadLetters = controlContainer(settings, credential, DEAD_LETTER_CONTAINER);
  const approvals = controlContainer(settings, credential, LEGACY_APPROVALS);
  const waiting = async (queue: string): Promise<number> => {
    const read = () => withinTime(TIMEOUT_MS, (limit) => queues.getQueueClient(queue).getProperties(limit));
    return (await unlessMissing(read))?.approximateMessagesCount ?? 0;
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
      try {
        // Opened only on use: a connection string may have no table endpoint.
        const table = controlTable(settings, credential, LEGACY_ORDERS);
        const options = { queryOptions: { filter: "PartitionKey eq 'order'" } };
        const rows = await Array.fromAsync(table.listEntities<{ order: unknown }>(options));
        return rows.flatMap(({ order }) => LEGACY_ORDER.safeParse(parseJson(String(order ?? ''))).data ?? []);
      } catch (error) {
        if (!isTableMissing(error)) throw error;
        return [];
      }
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

/** An event that Event Grid stopped delivering. */
export type DeadLetter = z.output<typeof DEAD_LETTER> & { readonly writtenOn: Date };

/** The events in one blob of Event Grid. Skips other content, because another writer may add a blob. */
export function parseDeadLetters(content: string | undefined, writtenOn: Date): DeadLetter[] {
  const parsed = parseJson(content ?? '');
  if (parsed === undefined) return [];
  return (Array.isArray(parsed) ? parsed : [parsed]).flatMap((event) => {
    const read = DEAD_LETTER.safeParse(event).data;
    return read ? [{ ...read, writtenOn }] : [];
  });
}

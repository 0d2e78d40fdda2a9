import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import { openControlContainer, openWorkQueues } from '../../azure/app-storage.ts';
import { downloadText, listBlobs } from '../../azure/blobs.ts';
import { runWithAbortSignal } from '../../azure/deadline.ts';
import { readUnlessMissing } from '../../azure/failure.ts';
import { parseJson } from '../../azure/parse-json.ts';
import { DEAD_LETTER_CONTAINER } from '../../events/subscription.ts';
import type { Settings } from '../../settings/settings.ts';
import { WORK_QUEUES } from '../../work/messages.ts';

/** Maximum number of dead letters to read. A failing vault creates thousands. */
const MAX_DEAD_LETTERS = 100;
/** Deadline for all requests of one call, including downloads. Milliseconds. */
const TIMEOUT_MS = 30_000;

/** State of the app itself. */
export type AppState = ReturnType<typeof createAppState>;

export function createAppState(settings: Pick<Settings, 'storage'>, credential: () => TokenCredential) {
  const queues = openWorkQueues(settings, credential);
  const deadLetters = openControlContainer(settings, credential, DEAD_LETTER_CONTAINER);
  const waiting = async (queue: string): Promise<number> => {
    const read = () => runWithAbortSignal(TIMEOUT_MS, (limit) => queues.getQueueClient(queue).getProperties(limit));
    return (await readUnlessMissing(read))?.approximateMessagesCount ?? 0;
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

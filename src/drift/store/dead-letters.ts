import { z } from 'zod';
import { parseJson } from '../../text.ts';
import type { DeadLetter } from '../checks/subjects.ts';

const text = z.string().catch('unknown');

/** The fields that Event Grid adds; CloudEvents have them in lower case (Event Grid, "dead letter and retry"). */
const DEAD_LETTER = z
  .looseObject({})
  .transform((event) => new Map(Object.entries(event).map(([name, value]) => [name.toLowerCase(), value])))
  .transform((fields) => ({
    source: text.parse(fields.get('source') ?? fields.get('topic')),
    type: text.parse(fields.get('type') ?? fields.get('eventtype')),
    reason: text.parse(fields.get('deadletterreason')),
    lastOutcome: text.parse(fields.get('lastdeliveryoutcome')),
  }));

/** The events of one blob that Event Grid wrote. What is not one of its is left out: anybody may put a blob there. */
export function parseDeadLetters(content: string | undefined, writtenOn: Date): DeadLetter[] {
  const parsed = parseJson(content ?? '');
  if (parsed === undefined) return [];
  return (Array.isArray(parsed) ? parsed : [parsed]).flatMap((event) => {
    const read = DEAD_LETTER.safeParse(event).data;
    return read ? [{ ...read, writtenOn }] : [];
  });
}

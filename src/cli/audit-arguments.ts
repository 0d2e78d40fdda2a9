import { CmkError } from '../errors.ts';
import { isDay, momentAgo } from '../time/duration.ts';

/** `<number>:<hash>` of a record that must be there. */
export function readReceipt(text: string): { seq: number; hash: string } {
  const [, seq, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq && hash) return { seq: Number(seq), hash };
  throw new CmkError(
    'ArgumentInvalid',
    `--receipt "${text}" is not <number>:<64 hexadecimal digits>.`,
    'Give it as the log or an earlier check printed it.',
  );
}

/** A day to start with. */
export function readDay(text: string): string {
  if (isDay(text)) return text;
  throw new CmkError('ArgumentInvalid', `--from "${text}" is not a day.`, 'Example: --from 2026-11-24');
}

/** The moment of a date, or so long ago. */
export function readSince(text: string): Date {
  return readMoment('--since', text, 'first');
}

/** The same for an end: a date is meant whole. */
export function readUntil(text: string): Date {
  return readMoment('--until', text, 'after');
}

function readMoment(option: string, text: string, edge: 'first' | 'after'): Date {
  const date = momentAgo(text, new Date(), edge);
  if (date) return date;
  throw new CmkError(
    'ArgumentInvalid',
    `${option} "${text}" is neither a date nor a duration.`,
    'Examples: 2026-11-24, 2026-11-24T12:00:00Z, P7D.',
  );
}

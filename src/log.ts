import type { InvocationContext } from '@azure/functions';
import type { Reason } from './reasons.ts';

export type LogLevel = 'info' | 'warning' | 'error';

/** One structured record. Beside the fixed fields, a record names what it is about (key, account, from, to …). */
export interface LogRecord {
  readonly level: LogLevel;
  readonly reason: Reason;
  readonly message: string;
  readonly [field: string]: unknown;
}

export type Log = (record: LogRecord) => void;

/**
 * Writes records as one line of JSON each, at the level that the host shows and that alert rules use:
 * `traces | extend r = parse_json(message) | where r.reason == "Moved"`.
 */
export function contextLog(context: Pick<InvocationContext, 'info' | 'warn' | 'error'>): Log {
  return (record) => {
    const line = lineOf(record);
    if (record.level === 'error') context.error(line);
    else if (record.level === 'warning') context.warn(line);
    else context.info(line);
  };
}

/** For what happens outside any invocation: the host shows it as a record of the worker. */
export function consoleLog(record: LogRecord): void {
  console.error(lineOf(record));
}

/** Application Insights cuts a message off behind 32,768 characters, and what is cut off is no JSON: no rule would see it. */
const MOST_CHARACTERS = 30_000;
/** What stays of a field that is too long, in characters; in JSON a character may take six. */
const KEPT_CHARACTERS = 2_000;

/** The record as a line; of the longest fields only the beginnings, as text, where it would be too long. */
function lineOf(record: LogRecord): string {
  let line = JSON.stringify(record);
  const fields = Object.entries(record).map(([name, value]) => ({ name, text: JSON.stringify(value) ?? '' }));
  const shortened: Record<string, unknown> = { ...record };
  for (const { name, text } of fields.sort((a, b) => b.text.length - a.text.length)) {
    if (line.length <= MOST_CHARACTERS) break;
    const value = shortened[name];
    shortened[name] = `${(typeof value === 'string' ? value : text).slice(0, KEPT_CHARACTERS)}…`;
    line = JSON.stringify(shortened);
  }
  return line;
}

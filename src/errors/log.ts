import type { InvocationContext } from '@azure/functions';
import type { Reason } from './reasons.ts';

export type LogLevel = 'info' | 'warning' | 'error';

/** One structured record. Further fields name the affected resource (key, account, from, to …). */
export interface LogRecord {
  readonly level: LogLevel;
  readonly reason: Reason;
  readonly message: string;
  readonly [field: string]: unknown;
}

export type Log = (record: LogRecord) => void;

/**
 * Writes each record as one line of JSON, at its log level. Alert rules parse it:
 * `traces | extend r = parse_json(message) | where r.reason == "Moved"`.
 */
export function createContextLog(context: Pick<InvocationContext, 'info' | 'warn' | 'error'>): Log {
  return (record) => {
    const line = lineOf(record);
    if (record.level === 'error') context.error(line);
    else if (record.level === 'warning') context.warn(line);
    else context.info(line);
  };
}

/** Logs outside an invocation. The host shows the record as a log of the worker. */
export function logToConsole(record: LogRecord): void {
  console.error(lineOf(record));
}

/** Application Insights truncates a message after 32,768 characters. Alert rules cannot parse truncated JSON. */
const MOST_CHARACTERS = 30_000;
/** Maximum length of a shortened field, in characters. JSON may need six characters for one. */
const KEPT_CHARACTERS = 2_000;

/** Formats the record as one line. Shortens its longest fields to text if the line would be too long. */
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

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
    const line = JSON.stringify(record);
    if (record.level === 'error') context.error(line);
    else if (record.level === 'warning') context.warn(line);
    else context.info(line);
  };
}

/** For what happens outside any invocation: the host shows it as a record of the worker. */
export function consoleLog(record: LogRecord): void {
  console.error(JSON.stringify(record));
}

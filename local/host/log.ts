import type { CoreLogLevel } from './core-types.ts';

export interface HostLogRecord {
  readonly time: Date;
  readonly level: CoreLogLevel;
  /** `NAME.Invocation` for the log of a function, `Host.…` and `Worker.…` for the host. */
  readonly category: string;
  readonly message: string;
}

export type HostLog = (record: HostLogRecord) => void;

/** Writes the records of one host. It adds the time, so that no caller forgets it. */
export type Write = (level: CoreLogLevel, category: string, message: string) => void;

const LEVELS: readonly string[] = [
  'trace',
  'debug',
  'information',
  'warning',
  'error',
  'critical',
  'none',
] satisfies CoreLogLevel[];

function severity(level: string): number {
  return LEVELS.indexOf(level.toLowerCase());
}

/** Whether the configured level of the category shows a record: the longest matching prefix counts, else `default`. */
export function isShown(record: HostLogRecord, logLevel: Readonly<Record<string, string>>): boolean {
  const [, least] = Object.entries(logLevel)
    .filter(([prefix]) => prefix !== 'default' && record.category.startsWith(prefix))
    .sort(([a], [b]) => b.length - a.length)[0] ?? ['default', logLevel.default ?? 'information'];
  return severity(record.level) >= severity(least);
}

/** A record is one line, whatever its message has: readers can count lines, and no message can forge a record. */
export function logLine({ time, level, category, message }: HostLogRecord): string {
  const oneLine = message.trimEnd().replaceAll(/\r\n|[\n\r\u2028\u2029]/g, '\\n');
  return `[${time.toISOString()}] ${level} ${category} ${oneLine}`;
}

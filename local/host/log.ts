import type { CoreLogLevel } from './core-types.ts';

export interface HostLogRecord {
  readonly time: Date;
  readonly level: CoreLogLevel;
  /** `NAME.Invocation` for what a function logs, `Host.…` and `Worker.…` for the host's own. */
  readonly category: string;
  readonly message: string;
}

export type HostLog = (record: HostLogRecord) => void;

/** Writes records of one host; the time is taken here so that no caller forgets it. */
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

/** The level from which a category is shown: the longest configured prefix decides, `default` for the rest. */
export function isShown(record: HostLogRecord, logLevel: Readonly<Record<string, string>>): boolean {
  const [, least] = Object.entries(logLevel)
    .filter(([prefix]) => prefix !== 'default' && record.category.startsWith(prefix))
    .sort(([a], [b]) => b.length - a.length)[0] ?? ['default', logLevel.default ?? 'information'];
  return severity(record.level) >= severity(least);
}

/** One record, one line, whatever the message holds: a reader can count lines and nobody can forge one. */
export function logLine({ time, level, category, message }: HostLogRecord): string {
  const oneLine = message.trimEnd().replaceAll(/\r\n|[\n\r\u2028\u2029]/g, '\\n');
  return `[${time.toISOString()}] ${level} ${category} ${oneLine}`;
}

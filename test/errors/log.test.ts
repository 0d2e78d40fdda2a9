import { expect, it } from 'vitest';
import { createContextLog, type LogRecord } from '../../src/errors/log.ts';

function lineOf(record: LogRecord): string {
  const lines: string[] = [];
  const write = (line: string): void => {
    lines.push(line);
  };
  createContextLog({ info: write, warn: write, error: write })(record);
  return lines.join('\n');
}

// Who may write the container of the audit trail may give files the longest of names, and has each of them found.
const planted = Array.from({ length: 50 }, (_, n) => ({
  file: `${n}${'\u0001'.repeat(1_000)}`,
  reason: 'FileUnknown',
  message: 'The app does not use this file name for the trail.',
}));

it('a record over the size limit of the log stays readable for alert rules', () => {
  const record = {
    level: 'error',
    reason: 'AuditTrailBroken',
    message: `One: ${planted[0]?.file}`,
    report: 'r',
  } as const;

  const line = lineOf({ ...record, findings: planted });
  expect(line.length).toBeLessThan(32_768);
  expect(JSON.parse(line)).toMatchObject({ ...record, findings: expect.stringMatching(/^\[\{"file":"0.*…$/s) });
  expect(JSON.parse(lineOf({ ...record, message: 'x'.repeat(100_000) }))).toMatchObject({ reason: 'AuditTrailBroken' });
});

it('a record of ordinary size is written unchanged', () => {
  const record = { level: 'info', reason: 'Moved', message: 'Moved.', key: 'k', places: ['a', 'b'] } as const;
  expect(lineOf(record)).toBe(JSON.stringify(record));
});

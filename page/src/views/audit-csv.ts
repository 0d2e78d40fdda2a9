import { getGivenText } from '../../../src/audit/given-text.ts';
import { formatCsvLine } from '../../../src/formats/csv.ts';
import type { AuditRecordView } from '../api/types.ts';

const detail =
  (...names: readonly string[]) =>
  ({ entry: { details = {} } }: AuditRecordView): unknown =>
    names.map((name) => details[name]).find((value) => value !== undefined && value !== null);

const COLUMNS: Readonly<Record<string, (record: AuditRecordView) => unknown>> = {
  time: ({ time }) => time,
  action: ({ entry }) => entry.action,
  resource: ({ entry }) => entry.resource,
  by: ({ entry }) => entry.caller?.name ?? entry.caller?.objectId ?? 'the app',
  why: ({ entry }) => getGivenText(entry, 'why'),
  from: detail('from', 'before'),
  to: detail('to', 'after'),
  reason: ({ entry }) => entry.reason,
  ticket: ({ entry }) => getGivenText(entry, 'ticket'),
  number: ({ seq }) => String(seq),
  // `by` is the caller's own description.
  object_id: ({ entry }) => entry.caller?.objectId,
  kind: ({ entry }) => entry.caller?.kind,
  // The app derived the record from this, because the call itself recorded nothing.
  found_in: detail('foundIn'),
  // `false`: the record was changed after it was written.
  intact: ({ intact }) => String(intact),
};

/** Audit records as CSV, with the columns of `cmk audit list -o csv --wide`. */
export function auditCsv(records: readonly AuditRecordView[]): string {
  const lines = [
    Object.keys(COLUMNS),
    ...records.map((record) => Object.values(COLUMNS).map((cell) => textOf(cell(record)))),
  ];
  return lines.map((cells) => `${formatCsvLine(cells)}\r\n`).join('');
}

function textOf(value: unknown): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

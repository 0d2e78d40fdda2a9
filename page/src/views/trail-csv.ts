import { trailRow } from '../../../src/audit/trail-columns.ts';
import type { RecordedEntry } from '../../../src/audit/trail-filter.ts';
import { csvLine } from '../../../src/csv.ts';
import type { AuditRecordView } from '../api/types.ts';

const COLUMNS = [
  ...(['time', 'action', 'resource', 'by', 'why', 'from', 'to'] as const),
  ...(['reason', 'ticket', 'number', 'object_id', 'kind', 'intact'] as const),
];

/** Records as CSV: times in UTC, ids whole. */
export function trailCsv(records: readonly AuditRecordView[]): string {
  const rows = records.map((record) => {
    // The API shows an entry as it was recorded.
    const row = trailRow(record as RecordedEntry);
    return COLUMNS.map((name) => row[name] ?? '');
  });
  return [COLUMNS, ...rows].map((cells) => `${csvLine(cells)}\r\n`).join('');
}

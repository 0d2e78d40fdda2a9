import type { AuditRecordView } from '../api/types.ts';

/** Records of moves to one version of a key: a rotation, or later repairs of one drift check or one event. */
export interface FoldedMoves {
  /** Version identifier. */
  readonly to: string;
  readonly records: readonly AuditRecordView[];
}

const MOVES: ReadonlySet<string> = new Set(['account.move', 'account.rekey']);
/** Causes of moves outside a rotation. */
const REPAIRS: ReadonlySet<string> = new Set(['drift', 'ResourceChanged']);

/** Records in their order. The moves of a rotation are one entry, at the position of the newest. */
export function foldMoves(records: readonly AuditRecordView[]): readonly (AuditRecordView | FoldedMoves)[] {
  const folds = Map.groupBy(records, rotationOf);
  return records.flatMap((record) => {
    const id = rotationOf(record);
    const all = folds.get(id);
    if (id === undefined || !all || all.length === 1) return record;
    return all[0] === record ? { to: String(record.entry.details?.to), records: all } : [];
  });
}

/** Undefined if it is no move. */
function rotationOf({ entry: { action, details = {} } }: AuditRecordView): string | undefined {
  if (!MOVES.has(action) || typeof details.to !== 'string') return undefined;
  const { ref = '', by = '' } = (details.cause ?? {}) as { readonly ref?: string; readonly by?: string };
  return REPAIRS.has(by) ? `${details.to} ${ref}` : details.to;
}

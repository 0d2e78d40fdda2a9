import type { RecordAudit } from '../audit/audit-trail.ts';
import type { AuditEntry } from '../audit/record.ts';
import type { RekeyData, RekeyOrder, RekeyRecord, RekeyStore } from '../fleet/rekey-order.ts';
import type { Log } from '../log.ts';

/** Somebody waits. Milliseconds. */
const AUDIT_WAIT_MS = 10_000;
/** Nobody does. Milliseconds. */
const LATER_WAIT_MS = 60_000;

/**
 * Puts into the audit trail what was done to an order and is not known to be there: by whoever did it, or, where that was
 * killed, by the next step of the order.
 *
 * @param own id of what whoever calls has done; what others did is told as found in the row, which proves less than a call
 * @returns the order; what could not be recorded stays with it. Errors are the table's.
 */
export async function recordChanges(
  order: RekeyOrder,
  { audit, rekeys }: { readonly audit: RecordAudit; readonly rekeys: Pick<RekeyStore, 'order' | 'replace'> },
  log: Log,
  own?: string,
): Promise<RekeyOrder> {
  const { unrecorded = [], ...rest } = order;
  const recorded: RekeyRecord[] = [];
  for (const done of unrecorded) {
    const entry = entryOf(order, done, done.id === own);
    const outcome = await audit(entry, own ? AUDIT_WAIT_MS : LATER_WAIT_MS);
    if ('failed' in outcome) {
      log({ level: 'error', reason: 'AuditFailed', message: outcome.failed, entry });
      break;
    }
    recorded.push(done);
  }
  if (recorded.length === 0) return order;
  const left = unrecorded.slice(recorded.length);
  const known = left.length > 0 ? { ...rest, unrecorded: left } : rest;
  // Changed meanwhile: whoever comes next finds that it is recorded.
  return (await rekeys.replace(known)) ?? (await rekeys.order(order.id)) ?? order;
}

/** So many may wait for a trail that cannot be written: an order has to fit into its row. */
const MOST_UNRECORDED = 10;

export function isFull({ unrecorded = [] }: RekeyData): boolean {
  return unrecorded.length >= MOST_UNRECORDED;
}

function entryOf(
  order: RekeyData,
  { id, reason, why, on, caller, correlationId }: RekeyRecord,
  isOwn: boolean,
): AuditEntry {
  const { from, to, ticket, startedOn } = order;
  return {
    id,
    action: 'key.rekey',
    reason,
    resource: from,
    ...(caller ? { caller } : {}),
    ...(correlationId ? { correlationId } : {}),
    details: {
      rekey: order.id,
      from,
      to,
      ...(why ? { why } : {}),
      ticket,
      startedOn,
      on,
      ...(isOwn ? {} : { foundIn: 'cmkrekeys' }),
    },
  };
}

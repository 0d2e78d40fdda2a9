import type { RecordAudit } from '../audit/audit-trail.ts';
import type { AuditEntry } from '../audit/record.ts';
import type { RekeyData, RekeyOrder, RekeyRecord, RekeyStore } from '../fleet/rekey-order.ts';
import type { Log } from '../log.ts';

/** Somebody waits. Milliseconds. */
const AUDIT_WAIT_MS = 10_000;
/** Nobody does: there is time to look through the trail of a day on which very much was moved. Milliseconds. */
const LATER_WAIT_MS = 60_000;

/**
 * Puts into the audit trail what was done to an order and is not known to be there: by whoever did it, or, where that was
 * killed, by the next step of the order. Each record is there once, however many write it at the same moment: it is looked for
 * from the time on at which it was made, and appended only where the trail ends as it was looked through.
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
  let recorded = 0;
  // In turn, so that the trail has them as they were done.
  for (const done of unrecorded) {
    const entry = entryOf(order, done, done.id === own);
    const outcome = await audit(entry, own ? AUDIT_WAIT_MS : LATER_WAIT_MS, new Date(done.on));
    if ('failed' in outcome) {
      log({ level: 'error', reason: 'AuditFailed', message: outcome.failed, entry });
      break;
    }
    recorded += 1;
  }
  if (recorded === 0) return order;
  const left = unrecorded.slice(recorded);
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
  const { from, to, ticket, approval, startedOn } = order;
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
      approval,
      startedOn,
      on,
      ...(isOwn ? {} : { foundIn: 'cmkrekeys' }),
    },
  };
}

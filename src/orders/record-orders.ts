import type { RecordAudit } from '../audit/audit-trail.ts';
import type { AuditEntry } from '../audit/record.ts';
import { triedFor } from '../azure/deadline.ts';
import { CmkError } from '../errors.ts';
import { overdueRecords, type UnrecordedOrder, withoutUnrecorded } from './standing-orders.ts';
import { CONTROL_CONTAINER, type OrdersStore } from './standing-orders-client.ts';

/** How long a call waits for the audit trail, and the sweep for each record. Milliseconds. */
const [WAIT_MS, LATER_MS] = [5_000, 20_000];
/** To remove a recorded change from the outbox; if that fails, the sweep appends it again with the same id. Milliseconds. */
const NOTE_MS = 2_000;

export interface RecordPorts {
  readonly orderStore: OrdersStore;
  readonly audit: RecordAudit;
  readonly now: () => Date;
}

/** Appends a change to the audit trail. Never rejects. @returns `written`, or why it failed; then the sweep appends it */
export async function recordChange(
  change: UnrecordedOrder,
  { orderStore, audit }: Pick<RecordPorts, 'orderStore' | 'audit'>,
): Promise<string> {
  const outcome = await audit(entryOf(change), WAIT_MS);
  if ('failed' in outcome) return outcome.failed;
  await triedFor(NOTE_MS, forget(orderStore, [change.id]));
  return 'written';
}

/**
 * Appends to the audit trail what calls could not append, or did not before their process died.
 *
 * @returns ids of the records
 * @throws {@link CmkError} `AuditFailed` when a record is left; the storage's errors
 */
export async function recordOverdueChanges({ orderStore, audit, now }: RecordPorts): Promise<readonly string[]> {
  const recorded: string[] = [];
  let failed: string | undefined;
  for (const change of overdueRecords(await orderStore.read(), now())) {
    const { details, ...entry } = entryOf(change);
    // Marked, since the document is weaker evidence than a record by the call itself.
    const outcome = await audit({ ...entry, details: { ...details, foundIn: CONTROL_CONTAINER } }, LATER_MS);
    if ('failed' in outcome) {
      failed = outcome.failed;
      break;
    }
    recorded.push(change.id);
  }
  if (recorded.length > 0) await forget(orderStore, recorded);
  if (failed !== undefined) throw new CmkError('AuditFailed', failed, 'The next sweep tries again.');
  return recorded;
}

function forget(orderStore: OrdersStore, ids: readonly string[]): Promise<unknown> {
  return orderStore.change((orders) => withoutUnrecorded(orders, ids));
}

function entryOf({ on, details, caller, correlationId, ...entry }: UnrecordedOrder): AuditEntry {
  return {
    ...entry,
    ...(caller ? { caller } : {}),
    ...(correlationId ? { correlationId } : {}),
    details: { on, ...details },
  };
}

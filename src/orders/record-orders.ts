import type { RecordAudit } from '../audit/audit-trail.ts';
import type { AuditEntry } from '../audit/record.ts';
import { triedFor } from '../azure/deadline.ts';
import { CmkError } from '../errors.ts';
import { overdueRecords, type UnrecordedOrder, withoutUnrecorded } from './standing-orders.ts';
import { CONTROL_CONTAINER, type OrdersStore } from './standing-orders-client.ts';

/** How long an answer waits for the audit trail, and the sweep for each record. Milliseconds. */
const [WAIT_MS, LATER_MS] = [5_000, 20_000];
/** For the note that it is in the trail; without it, it is recorded twice with the same id. Milliseconds. */
const NOTE_MS = 2_000;

export interface RecordPorts {
  readonly orderStore: OrdersStore;
  readonly audit: RecordAudit;
  readonly now: () => Date;
}

/** Puts a change into the audit trail. Never rejects. @returns `written`, or why it is not: then the sweep does */
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
 * Puts into the audit trail what a call could not, or died before it had.
 *
 * @returns ids of the records
 * @throws {@link CmkError} `AuditFailed` when something is left; the storage's errors
 */
export async function recordOverdueChanges({ orderStore, audit, now }: RecordPorts): Promise<readonly string[]> {
  const recorded: string[] = [];
  let failed: string | undefined;
  for (const change of overdueRecords(await orderStore.read(), now())) {
    const { details, ...entry } = entryOf(change);
    // It proves less than the record of the call itself.
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

import type { RecordAudit } from '../audit/audit-trail.ts';
import { waitAtMost } from '../azure/deadline.ts';
import { CmkError } from '../errors/errors.ts';
import type { Log } from '../errors/log.ts';
import { REASONS } from '../errors/reasons.ts';
import { type StandingOrders, type UnrecordedOrder, withUnrecorded } from './standing-orders.ts';
import { CONTROL_CONTAINER, type OrdersStore } from './standing-orders-client.ts';

/** Time in which the call appends its own audit record; the sweep appends later. Milliseconds. */
const CALL_RECORDS_MS = 60_000;
/** Deadline for the audit trail in a call. Milliseconds. */
const WAIT_MS = 5_000;
/** Deadline for the audit trail for each record in the sweep. Milliseconds. */
const LATER_MS = 20_000;
/** Deadline for removing a recorded change from the outbox; after a failure the sweep retries. Milliseconds. */
const NOTE_MS = 2_000;

/** An operator's call that changes standing orders. */
export interface OrderCall {
  readonly caller: NonNullable<UnrecordedOrder['caller']>;
  readonly correlationId: string;
  readonly reason: string;
  readonly ticket?: string | undefined;
}

export interface OrderPorts {
  readonly orderStore: Pick<OrdersStore, 'read' | 'change'>;
  readonly audit: RecordAudit;
  readonly now: () => Date;
}

/** Changed orders and their audit records. */
interface OrderChange {
  readonly orders: StandingOrders;
  readonly records: readonly UnrecordedOrder[];
}

/**
 * Stores a change of the orders together with its audit records, logs the records, and appends them to the trail. If
 * this process dies in between, the sweep appends them.
 *
 * @param plan called again after a conflict; undefined for no change
 * @returns `audit`: `written`, or the error of the audit trail; never rejects
 * @throws the SDK's error if the store rejects the change, and errors of `plan`
 */
export async function changeOrders(
  plan: (orders: StandingOrders) => OrderChange | undefined,
  ports: Pick<OrderPorts, 'orderStore' | 'audit'>,
  log: Log,
): Promise<OrderChange & { readonly audit: Promise<string> }> {
  let records: readonly UnrecordedOrder[] = [];
  const orders = await ports.orderStore.change((current) => {
    // After a lost answer, a retry reads its own write.
    if (current.unrecorded.some(({ id }) => records.some((record) => record.id === id))) return current;
    const change = plan(current);
    records = change?.records ?? [];
    return change ? records.reduce(withUnrecorded, change.orders) : current;
  });

  for (const { action, reason, caller, correlationId, resource, details } of records) {
    const about = action === 'drift.release' ? { account: resource } : { key: resource };
    const by = { caller: caller?.objectId, correlationId };
    log({ level: 'warning', reason, message: REASONS[reason], ...by, ...about, ...details });
  }

  return { orders, records, audit: recordChanges(records, ports) };
}

/** Appends stored changes to the audit trail. Never rejects. @returns `written`, or the error of the audit trail */
export async function recordChanges(
  changes: readonly UnrecordedOrder[],
  { orderStore, audit }: Pick<OrderPorts, 'orderStore' | 'audit'>,
  waitMs = WAIT_MS,
  marks: object = {},
): Promise<string> {
  for (const { on, details, ...entry } of changes) {
    const outcome = await audit({ ...entry, details: { on, ...details, ...marks } }, waitMs);
    if ('failed' in outcome) return outcome.failed;

    const forget = orderStore.change(({ unrecorded, ...orders }) => ({
      ...orders,
      unrecorded: unrecorded.filter(({ id }) => id !== entry.id),
    }));
    await waitAtMost(NOTE_MS, forget);
  }

  return 'written';
}

/**
 * Appends records that a call failed to append, or whose process died.
 *
 * @returns ids of the records
 * @throws {@link CmkError} `AuditFailed` if the trail rejects a record; the storage's errors
 */
export async function recordOverdueChanges(ports: OrderPorts): Promise<readonly string[]> {
  const { unrecorded } = await ports.orderStore.read();
  const overdue = unrecorded.filter(({ on }) => ports.now().getTime() - Date.parse(on) >= CALL_RECORDS_MS);
  // Marked, since the document is weaker evidence than the call's own record.
  const outcome = await recordChanges(overdue, ports, LATER_MS, { foundIn: CONTROL_CONTAINER });
  if (outcome !== 'written') throw new CmkError('AuditFailed', outcome, 'The next sweep retries.');
  return overdue.map(({ id }) => id);
}

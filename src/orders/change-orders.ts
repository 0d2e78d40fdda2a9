import type { RecordAudit } from '../audit/audit-trail.ts';
import { triedFor } from '../azure/deadline.ts';
import { CmkError } from '../errors.ts';
import {
  hasChange,
  overdueRecords,
  type StandingOrders,
  type UnrecordedOrder,
  withoutUnrecorded,
  withUnrecorded,
} from './standing-orders.ts';
import { CONTROL_CONTAINER, type OrdersStore } from './standing-orders-client.ts';

/** Deadlines for the audit trail in a call, and for each record in the sweep. Milliseconds. */
const [WAIT_MS, LATER_MS] = [5_000, 20_000];
/** Deadline for removing a recorded change from the outbox; after a failure the sweep retries. Milliseconds. */
const NOTE_MS = 2_000;

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
 * Stores a change of the orders together with its audit records, and appends the records to the trail. If this process
 * dies in between, the sweep appends them.
 *
 * @param plan called again after a conflict; undefined for no change
 * @returns `audit`: `written`, or the error of the audit trail; never rejects
 * @throws the SDK's error if the store rejects the change, and errors of `plan`
 */
export async function changeOrders(
  plan: (orders: StandingOrders) => OrderChange | undefined,
  ports: Pick<OrderPorts, 'orderStore' | 'audit'>,
): Promise<OrderChange & { readonly audit: Promise<string> }> {
  let records: readonly UnrecordedOrder[] = [];
  const orders = await ports.orderStore.change((current) => {
    if (records.some(({ id }) => hasChange(current, id))) return current;
    const change = plan(current);
    records = change?.records ?? [];
    return change ? records.reduce(withUnrecorded, change.orders) : current;
  });
  return { orders, records, audit: recordChanges(records, ports) };
}

/** Appends stored changes to the audit trail. Never rejects. @returns `written`, or the error of the audit trail */
export async function recordChanges(
  changes: readonly UnrecordedOrder[],
  { orderStore, audit }: Pick<OrderPorts, 'orderStore' | 'audit'>,
  waitMs = WAIT_MS,
  marks: object = {},
): Promise<string> {
  for (const { on, details, caller, correlationId, ...entry } of changes) {
    const by = { ...(caller ? { caller } : {}), ...(correlationId ? { correlationId } : {}) };
    const outcome = await audit({ ...entry, ...by, details: { on, ...details, ...marks } }, waitMs);
    if ('failed' in outcome) return outcome.failed;
    await triedFor(
      NOTE_MS,
      orderStore.change((orders) => withoutUnrecorded(orders, entry.id)),
    );
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
  const overdue = overdueRecords(await ports.orderStore.read(), ports.now());
  // Marked, since the document is weaker evidence than the call's own record.
  const outcome = await recordChanges(overdue, ports, LATER_MS, { foundIn: CONTROL_CONTAINER });
  if (outcome !== 'written') throw new CmkError('AuditFailed', outcome, 'The next sweep retries.');
  return overdue.map(({ id }) => id);
}

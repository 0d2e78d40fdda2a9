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

/** How long a call waits for the audit trail, and the sweep for each record. Milliseconds. */
const [WAIT_MS, LATER_MS] = [5_000, 20_000];
/** To remove a recorded change from the outbox; if that fails, the sweep appends it again with the same id. Milliseconds. */
const NOTE_MS = 2_000;

export interface OrderPorts {
  readonly orderStore: Pick<OrdersStore, 'read' | 'change'>;
  readonly audit: RecordAudit;
  readonly now: () => Date;
}

/** Changed orders, and the audit records of the change. */
export interface OrderChange {
  readonly orders: StandingOrders;
  readonly records: readonly UnrecordedOrder[];
}

/**
 * Stores a change of the orders together with its audit records, and appends these. If this process dies in between, the sweep
 * appends them.
 *
 * @param plan called again after a conflict; undefined: there is nothing to change
 * @returns `audit`: `written`, or why a record could not be appended; never rejects
 * @throws the SDK's error when the change cannot be stored, and what `plan` throws
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

/** Appends changes that are stored to the audit trail. Never rejects. @returns `written`, or why one could not be appended */
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
 * Appends what calls could not append, or did not before their process died.
 *
 * @returns ids of the records
 * @throws {@link CmkError} `AuditFailed` when a record is left; the storage's errors
 */
export async function recordOverdueChanges(ports: OrderPorts): Promise<readonly string[]> {
  const overdue = overdueRecords(await ports.orderStore.read(), ports.now());
  // Marked, since the document is weaker evidence than a record by the call itself.
  const outcome = await recordChanges(overdue, ports, LATER_MS, { foundIn: CONTROL_CONTAINER });
  if (outcome !== 'written') throw new CmkError('AuditFailed', outcome, 'The next sweep tries again.');
  return overdue.map(({ id }) => id);
}

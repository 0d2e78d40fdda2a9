import { describeError } from '../azure/failure.ts';
import { CmkError } from '../errors/errors.ts';
import type { Log } from '../errors/log.ts';
import { REASONS, type Reason } from '../errors/reasons.ts';
import { changeOrders, type OrderCall, type OrderPorts } from '../orders/change-orders.ts';
import {
  findConflicts,
  isMoving,
  isOpen,
  type Rekey,
  type StandingOrders,
  toCaller,
  type UnrecordedOrder,
  withRekey,
} from '../orders/standing-orders.ts';
import type { Cause } from '../work/messages.ts';

/** Failed accounts after which an order stops, unless the caller sets another number. */
export const MAX_FAILURES = 3;

export type RekeyAct = 'pause' | 'resume' | 'rollBack' | 'end';

/** Key identifiers without a version, and the number of failed accounts after which the order stops. */
type RekeyRequest = Pick<Rekey, 'from' | 'to' | 'maxFailures'>;

export interface RekeyOrderPorts extends OrderPorts {
  requestKeys(keys: readonly string[], cause: Cause): Promise<void>;
  readonly newId: () => string;
}

/** Returns each changed re-key with the reason code of its audit record. */
type PlanChange = (orders: StandingOrders) => readonly { readonly rekey: Rekey; readonly reason: Reason }[];

/**
 * Starts a re-key after the caller has checked that nothing blocks it. After an SDK error the store may have the order.
 *
 * @throws {@link CmkError} `RekeyConflict`, `TooManyOrders`
 */
export function startRekey(request: RekeyRequest, call: OrderCall, ports: RekeyOrderPorts, log: Log): Promise<Rekey> {
  const { caller, reason, ticket } = call;
  const order = { ...request, reason, ticket, by: toCaller(caller), startedOn: ports.now().toISOString() };
  const rekey: Rekey = { id: ports.newId(), state: 'active', ...order };
  const plan: PlanChange = (orders) => {
    requireNoConflict(orders, rekey);
    return [{ rekey, reason: 'RekeyStarted' }];
  };
  return applyChange(plan, call, ports, log);
}

/**
 * Pauses, resumes, rolls back or ends an order. A PATCH in flight may still take effect.
 *
 * @returns the order; for a rollback, the new order
 * @throws {@link CmkError} `RekeyNotFound`, `RekeyNotPossible`, `RekeyConflict`
 */
export function changeRekey(
  id: string,
  act: RekeyAct,
  call: OrderCall,
  ports: RekeyOrderPorts,
  log: Log,
): Promise<Rekey> {
  const now = ports.now();
  const wanted = { id, act, why: call.reason, newId: ports.newId(), by: toCaller(call.caller) };
  return applyChange((orders) => applyAct(orders, wanted, now), call, ports, log);
}

/** @returns the changed orders; the caller's order is last */
export function applyAct(
  orders: StandingOrders,
  { id, act, why, newId, by }: { id: string; act: RekeyAct; why: string; newId: string; by: Rekey['by'] },
  now: Date,
): ReturnType<PlanChange> {
  const order = orders.rekeys.find((rekey) => rekey.id === id);
  if (!order) throw new CmkError('RekeyNotFound', REASONS.RekeyNotFound, 'List the re-keys: cmk rekey list');

  const on = now.toISOString();
  const { paused: _, verified: __, ...rest } = order;
  const ended: Rekey = { ...rest, state: 'ended', endedOn: on };

  if (act === 'pause' && (isMoving(order) || order.state === 'stopped')) {
    return [{ rekey: { ...rest, state: 'paused', paused: { on, why, by } }, reason: 'RekeyPaused' }];
  }

  if (act === 'resume' && (order.state === 'paused' || order.state === 'stopped')) {
    return [{ rekey: { ...rest, state: 'active', resumedOn: on }, reason: 'RekeyResumed' }];
  }

  if (act === 'end' && isOpen(order)) return [{ rekey: ended, reason: 'RekeyEnded' }];

  if (act === 'rollBack') {
    const { from, to, maxFailures, ticket } = order;
    const back: Rekey = {
      id: newId,
      from: to,
      to: from,
      only: id,
      state: 'active',
      maxFailures,
      reason: why,
      ticket,
      by,
      startedOn: on,
    };

    requireNoConflict(withRekey(orders, ended, now), back);

    const end = isOpen(order) ? [{ rekey: ended, reason: 'RekeyEnded' as const }] : [];

    return [...end, { rekey: back, reason: 'RekeyTakingBack' }];
  }

  throw new CmkError(
    'RekeyNotPossible',
    `The re-key ${id} is ${order.state}, so ${act} is not possible.`,
    'Show its progress: cmk rekey list',
  );
}

function requireNoConflict(orders: StandingOrders, rekey: Rekey): void {
  const [conflict] = describeRekeyConflicts(orders, rekey);
  if (conflict) throw new CmkError(conflict.reason, conflict.detail, conflict.fix);
}

/** Describes open orders with either key, with an operator's next step. */
export function describeRekeyConflicts(orders: StandingOrders, keys: Pick<Rekey, 'from' | 'to'>) {
  return findConflicts(orders, keys).map(({ id, from, to }) => ({
    reason: 'RekeyConflict' as const,
    detail: `The re-key ${id} (${from} to ${to}) uses the same key.`,
    fix: `Wait until it is done, roll it back, or end it: cmk rekey cancel ${id}`,
  }));
}

async function applyChange(plan: PlanChange, call: OrderCall, ports: RekeyOrderPorts, log: Log): Promise<Rekey> {
  const now = ports.now();
  let changes: ReturnType<PlanChange> = [];
  const { audit } = await changeOrders(
    (current) => {
      changes = plan(current);
      return {
        orders: changes.reduce((all, { rekey }) => withRekey(all, rekey, now), current),
        records: changes.map(({ rekey, reason }) => toRekeyChange(rekey, reason, now, { ...call, why: call.reason })),
      };
    },
    ports,
    log,
  );

  const rekey = changes.at(-1)?.rekey;
  if (!rekey) throw new TypeError('The call changed no order.');

  const cause = { by: 'rekey', ref: rekey.id, since: now.toISOString() };

  await ports.requestKeys([rekey.from, rekey.to], cause).catch((error: unknown) => {
    const message = `The re-key ${rekey.id} continues within two minutes, not at once: ${describeError(error)}`;
    log({ level: 'warning', reason: 'RekeyWaits', message, key: rekey.from });
  });
  await audit;

  return rekey;
}

/** Returns the audit record of an order's change. */
export function toRekeyChange(
  { id, from, to, only, ticket, startedOn, resumedOn }: Rekey,
  reason: Reason,
  now: Date,
  { caller, correlationId, why }: Partial<OrderCall> & { readonly why?: string },
): UnrecordedOrder {
  return {
    // Without a caller, the app changed the order: each reason occurs once between two resumes.
    id: ['key.rekey', id, reason, correlationId ?? resumedOn ?? startedOn].join('/'),
    action: 'key.rekey',
    reason,
    resource: from,
    on: now.toISOString(),
    caller,
    correlationId,
    details: { rekey: id, from, to, only, ticket, startedOn, why },
  };
}

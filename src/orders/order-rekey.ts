import { CmkError, messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
import type { Cause } from '../work/messages.ts';
import type { KnownOrders } from './known-orders.ts';
import { type RecordPorts, recordChange } from './record-orders.ts';
import {
  conflictsOf,
  hasChange,
  isMoving,
  isOpen,
  type Rekey,
  type StandingOrders,
  type UnrecordedOrder,
  withRekey,
  withUnrecorded,
} from './standing-orders.ts';

/** Accounts that may fail before an order stops, unless told otherwise. */
export const MAX_FAILURES = 3;

export type RekeyAct = 'pause' | 'resume' | 'takeBack' | 'end';

/** Who calls, and why. */
export interface RekeyCall {
  readonly caller: NonNullable<UnrecordedOrder['caller']>;
  /** Of this call alone. */
  readonly correlationId: string;
}

export interface RekeyRequest {
  /** Key identifiers without a version. */
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly ticket: string | undefined;
  readonly maxFailures: number;
}

export interface RekeyOrderPorts extends RecordPorts {
  readonly control: Pick<KnownOrders, 'learn'>;
  requestKeys(keys: readonly string[], cause: Cause): Promise<void>;
  readonly newId: () => string;
}

/** What an order of an operator changes: re-keys, and what the audit trail is to have of each. */
type Apply = (orders: StandingOrders) => readonly { readonly rekey: Rekey; readonly reason: Reason }[];

/**
 * Starts a re-key that nothing stands in the way of. Errors are the SDK's: then it may hold, or not.
 *
 * @throws {@link CmkError} `RekeyConflict`, `TooManyOrders`
 */
export function startRekey(
  { ticket, ...request }: RekeyRequest,
  call: RekeyCall,
  ports: RekeyOrderPorts,
  log: Log,
): Promise<Rekey> {
  const startedOn = ports.now().toISOString();
  const rekey: Rekey = {
    ...{ id: ports.newId(), ...request, state: 'active', by: byOf(call), startedOn },
    ...(ticket ? { ticket } : {}),
  };
  return keep(
    (orders) => {
      mustBeFree(orders, rekey);
      return [{ rekey, reason: 'RekeyStarted' }];
    },
    rekey.reason,
    call,
    ports,
    log,
  );
}

/**
 * Pauses, resumes, rolls back or ends an order. What is in flight may still take effect.
 *
 * @returns the order; of a roll back, the one that moves everything back
 * @throws {@link CmkError} `RekeyNotFound`, `RekeyNotPossible`, `RekeyConflict`
 */
export function changeRekey(
  id: string,
  act: RekeyAct,
  why: string,
  call: RekeyCall,
  ports: RekeyOrderPorts,
  log: Log,
): Promise<Rekey> {
  const now = ports.now();
  const newId = ports.newId();
  return keep((orders) => applyAct(orders, { id, act, why, newId, by: byOf(call) }, now), why, call, ports, log);
}

/** @returns what is changed, the order that goes on last */
export function applyAct(
  orders: StandingOrders,
  { id, act, why, newId, by }: { id: string; act: RekeyAct; why: string; newId: string; by: Rekey['by'] },
  now: Date,
): ReturnType<Apply> {
  const order = orders.rekeys.find((rekey) => rekey.id === id);
  if (!order)
    throw new CmkError('RekeyNotFound', REASONS.RekeyNotFound, 'See which re-keys there are: cmk rekey status');
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
  if (act === 'takeBack') {
    const { from, to, maxFailures, ticket } = order;
    const back: Rekey = {
      ...{ id: newId, from: to, to: from, only: id, state: 'active', maxFailures, reason: why, by, startedOn: on },
      ...(ticket ? { ticket } : {}),
    };
    mustBeFree(withRekey(orders, ended, now), back);
    const end = isOpen(order) ? [{ rekey: ended, reason: 'RekeyEnded' as const }] : [];
    return [...end, { rekey: back, reason: 'RekeyTakingBack' }];
  }
  throw new CmkError(
    'RekeyNotPossible',
    `The re-key ${id} is ${order.state}: there is nothing to ${act}.`,
    'See how far it is: cmk rekey status',
  );
}

function mustBeFree(orders: StandingOrders, rekey: Rekey): void {
  const [conflict] = conflictsOf(orders, rekey);
  if (!conflict) return;
  throw new CmkError(
    'RekeyConflict',
    `The re-key ${conflict.id} (${conflict.from} to ${conflict.to}) has to do with the same key.`,
    wayOut(conflict),
  );
}

/** What an operator may do about an order that is in the way of another one. */
export function wayOut({ id }: Pick<Rekey, 'id'>): string {
  return `Wait until it is done, take it back, or end it: cmk rekey cancel ${id}`;
}

async function keep(apply: Apply, why: string, call: RekeyCall, ports: RekeyOrderPorts, log: Log): Promise<Rekey> {
  const now = ports.now();
  let kept: ReturnType<Apply> = [];
  let records: UnrecordedOrder[] = [];
  const orders = await ports.orderStore.change((current) => {
    if (records.some(({ id }) => hasChange(current, id))) return current;
    kept = apply(current);
    records = kept.map(({ rekey, reason }) => rekeyChange(rekey, reason, now, { ...call, why }));
    const changed = kept.reduce((all, { rekey }) => withRekey(all, rekey, now), current);
    return records.reduce(withUnrecorded, changed);
  });
  ports.control.learn(orders);
  const rekey = kept.at(-1)?.rekey;
  if (!rekey) throw new TypeError('An order changes something.');
  for (const {
    rekey: { id, from, to },
    reason,
  } of kept) {
    log({ level: 'warning', reason, message: `${REASONS[reason]} ${why}`, rekey: id, from, to, key: from });
  }
  for (const record of records) await recordChange(record, ports);
  const cause = { by: 'rekey', ref: rekey.id, since: now.toISOString() };
  await ports.requestKeys([rekey.from, rekey.to], cause).catch((error: unknown) => {
    const message = `The re-key ${rekey.id} goes on within two minutes, and not at once: ${messageOf(error)}`;
    log({ level: 'warning', reason: 'RekeyWaits', message, key: rekey.from });
  });
  return rekey;
}

/** What the audit trail is to have of a change of an order. */
export function rekeyChange(
  { id, from, to, only, ticket, startedOn, resumedOn }: Rekey,
  reason: Reason,
  now: Date,
  { caller, correlationId, ...details }: Partial<RekeyCall> & { readonly why?: string },
): UnrecordedOrder {
  return {
    // By the app itself each comes once between two resumes.
    id: ['key.rekey', id, reason, correlationId ?? resumedOn ?? startedOn].join('/'),
    ...{ action: 'key.rekey', reason, resource: from, on: now.toISOString() },
    ...(caller ? { caller } : {}),
    ...(correlationId ? { correlationId } : {}),
    details: { rekey: id, from, to, ...(only ? { only } : {}), ...(ticket ? { ticket } : {}), startedOn, ...details },
  };
}

function byOf({ caller: { objectId, appId, name } }: RekeyCall): Rekey['by'] {
  return { objectId, appId, ...(name ? { name } : {}) };
}

import type { RecordAudit } from '../audit/audit-trail.ts';
import {
  type RekeyData,
  type RekeyOrder,
  type RekeyRecord,
  type RekeyStore,
  withChange,
} from '../fleet/rekey-order.ts';
import type { CallerKind } from '../http/token-claims.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { type Cause, KEY_WORK } from '../work/messages.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import { conflict, standWithKeys } from './hold-keys.ts';
import { recordChanges } from './record-changes.ts';
import type { RekeyCheck } from './rekey-check.ts';

/** Accounts that may fail before all of it stops, unless told otherwise. */
export const MAX_FAILURES = 3;
/**
 * A step is in the queue before an order is changed, should whoever changes it die right after that: it goes on with it, and
 * records what was done. Seconds.
 */
export const IF_KILLED_SECONDS = 60;

export interface RekeyRequest {
  readonly from: ManagedKey;
  readonly to: ManagedKey;
  readonly reason: string;
  readonly ticket: string | undefined;
  readonly maxFailures: number;
}

/** Who calls. */
export interface RekeyCall {
  readonly caller: {
    readonly objectId: string;
    readonly appId: string;
    readonly kind?: CallerKind | undefined;
    readonly tokenId?: string | undefined;
    readonly name?: string | undefined;
  };
  /** Of this call alone. */
  readonly correlationId: string;
}

export interface ControlServices {
  readonly rekeys: RekeyStore;
  readonly queue: Pick<WorkQueue, 'send'>;
  readonly audit: RecordAudit;
  readonly now: () => Date;
}

export type StartServices = ControlServices & {
  readonly check: (from: ManagedKey, to: ManagedKey) => Promise<RekeyCheck>;
  readonly newId: () => string;
};

/**
 * Starts a re-key, unless something stands in its way: then nothing is written. Errors are the SDK's.
 *
 * @throws {@link CmkError} `RekeyConflict` when somebody else started one with the same key at this very moment
 */
export async function startRekey(
  request: RekeyRequest,
  call: RekeyCall,
  services: StartServices,
  log: Log,
): Promise<{ readonly check: RekeyCheck; readonly order?: RekeyOrder }> {
  const check = await services.check(request.from, request.to);
  if (check.problems.length > 0) return { check };
  const wanted = orderOf(request, call, services);
  await sendStep(wanted, services, IF_KILLED_SECONDS);
  const standing = await standWithKeys(wanted, services);
  if (!standing) throw conflict([]);
  const order = await recordChanges(standing, services, log, wanted.change);
  const about = { rekey: order.id, from: order.from, to: order.to };
  log({ level: 'warning', reason: 'RekeyStarted', message: REASONS.RekeyStarted, ...about, key: order.from });
  await sendStep(order, services);
  return { check, order };
}

function orderOf(request: RekeyRequest, call: RekeyCall, { now, newId }: StartServices): RekeyData {
  const on = now().toISOString();
  const { from, to, reason, ticket, maxFailures } = request;
  const order: RekeyData = {
    id: newId(),
    from: from.id,
    to: to.id,
    reason,
    ...(ticket ? { ticket } : {}),
    by: personOf(call),
    startedOn: on,
    state: 'moving',
    maxFailures,
    tick: 0,
    tickedOn: on,
  };
  return withChange(order, { reason: 'RekeyStarted', on, why: reason, ...recordedCall(call) });
}

/** Who did something, for its record. */
export function recordedCall(call: RekeyCall): Pick<RekeyRecord, 'caller' | 'correlationId'> {
  const { kind, tokenId } = call.caller;
  const caller = { ...personOf(call), ...(kind ? { kind } : {}), ...(tokenId ? { tokenId } : {}) };
  return { caller, correlationId: call.correlationId };
}

export function personOf({ caller }: RekeyCall): NonNullable<RekeyData['by']> {
  const { objectId, appId, name } = caller;
  return { objectId, appId, ...(name ? { name } : {}) };
}

/** What is done because of an order. */
export function causeOf({ id }: Pick<RekeyData, 'id'>, now: Date): Cause {
  return { by: 'rekey', ref: id, since: now.toISOString() };
}

/** Puts the next step of an order into the queue. Errors are the SDK's. */
export async function sendStep(
  order: RekeyData,
  { queue, now }: Pick<ControlServices, 'queue' | 'now'>,
  delaySeconds = 0,
): Promise<void> {
  const cause = causeOf(order, now());
  const work = { kind: 'rekey', order: order.id, key: order.from, tick: order.tick, cause, attempt: 0 } as const;
  await queue.send(KEY_WORK, work, delaySeconds);
}

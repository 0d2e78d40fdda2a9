import type { Approved } from '../approvals/approved-once.ts';
import type { RecordAudit } from '../audit/audit-trail.ts';
import { CmkError } from '../errors.ts';
import { conflictsOf, type RekeyData, type RekeyOrder, type RekeyStore } from '../fleet/rekey-order.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { type Cause, KEY_WORK } from '../work/messages.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import type { RekeyCheck } from './rekey-check.ts';

/** Accounts that may fail before all of it stops, unless told otherwise. */
export const MAX_FAILURES = 3;
/** The first step is in the queue before the order stands, should whoever starts it die in between. Seconds. */
const IF_KILLED_SECONDS = 60;
/** A start that takes longer than this is not believed to be the only one any more. Milliseconds. */
const SLOW_MS = 5 * 60_000;
const AUDIT_WAIT_MS = 10_000;

export interface RekeyRequest {
  readonly from: ManagedKey;
  readonly to: ManagedKey;
  readonly reason: string;
  readonly ticket: string | undefined;
  readonly maxFailures: number;
  /** Who approved it, where others have to; its id is the order's, so that it is carried out once. */
  readonly approval?: Approved;
}

/** Who calls. */
export interface RekeyCall {
  readonly caller: { readonly objectId: string; readonly appId: string; readonly name?: string | undefined };
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
  const order = await place(request, call, services);
  const about = { rekey: order.id, from: order.from, to: order.to };
  await record(order, 'RekeyStarted', order.reason, call, services, log);
  log({ level: 'warning', reason: 'RekeyStarted', message: REASONS.RekeyStarted, ...about, key: order.from });
  await sendStep(order, services);
  return { check, order };
}

/** Written down first and compared then: of two that come together, each is there before it looks for the other. */
async function place(request: RekeyRequest, call: RekeyCall, services: StartServices): Promise<RekeyOrder> {
  const { rekeys, now, newId } = services;
  const startedOn = now();
  const order: RekeyData = {
    id: request.approval?.id ?? newId(),
    from: request.from.id,
    to: request.to.id,
    reason: request.reason,
    ...(request.ticket ? { ticket: request.ticket } : {}),
    by: personOf(call),
    ...(request.approval ? { approval: request.approval } : {}),
    startedOn: startedOn.toISOString(),
    state: 'checking',
    maxFailures: request.maxFailures,
    tick: 0,
    tickedOn: startedOn.toISOString(),
  };
  await rekeys.add(order);
  const orders = await rekeys.orders();
  const own = orders.find(({ id }) => id === order.id);
  const others = conflictsOf(order, orders, startedOn);
  if (!own || others.length > 0) {
    if (own) await rekeys.replace({ ...own, state: 'ended', endedOn: now().toISOString() });
    throw conflict(others);
  }
  await sendStep(own, services, IF_KILLED_SECONDS);
  const isSlow = now().getTime() - startedOn.getTime() > SLOW_MS;
  const standing = isSlow
    ? undefined
    : ((await rekeys.replace({ ...own, state: 'moving' })) ?? (await movingNow(rekeys, own)));
  if (!standing) throw conflict([]);
  return standing;
}

/** Only this call makes the order move: if it does, the answer that it does was lost, and the client asked again. */
async function movingNow(rekeys: StartServices['rekeys'], { id }: RekeyOrder): Promise<RekeyOrder | undefined> {
  const order = await rekeys.order(id);
  return order?.state === 'moving' ? order : undefined;
}

function conflict(others: readonly RekeyOrder[]): CmkError {
  const which = others.map(({ id }) => id).join(', ');
  return new CmkError(
    'RekeyConflict',
    which ? `One of the keys takes part in another re-key (${which}).` : 'The re-key took too long to begin.',
    'Look at the re-keys there are, and start it again.',
  );
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

/** Who changed an order, and why, for the audit trail; what cannot be written there is in the log. */
export async function record(
  order: RekeyData,
  reason: 'RekeyStarted' | 'RekeyPaused' | 'RekeyResumed' | 'RekeyTakingBack' | 'RekeyEnded',
  why: string,
  { caller, correlationId }: RekeyCall,
  { audit }: Pick<ControlServices, 'audit'>,
  log: Log,
): Promise<void> {
  const details = {
    rekey: order.id,
    from: order.from,
    to: order.to,
    why,
    ticket: order.ticket,
    approval: order.approval,
  };
  const entry = { action: 'key.rekey', reason, resource: order.from, caller, correlationId, details };
  const recorded = await audit(entry, AUDIT_WAIT_MS);
  if ('failed' in recorded) log({ level: 'error', reason: 'AuditFailed', message: recorded.failed, entry });
}

import { isDeepStrictEqual } from 'node:util';
import type { RecordAudit } from '../audit/audit-trail.ts';
import { EVERY_KEY } from '../audit/record.ts';
import { CmkError } from '../errors.ts';
import type { Log } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
import {
  APPROVAL_LIFE_MS,
  type ApprovalRefusal,
  type ApprovalRequest,
  type Approver,
  type AskedApproval,
  approvalId,
  approve,
  type Decided,
  isUnaltered,
  type PauseApproval,
  particularsOf,
  type RekeyApproval,
  type RestoreApproval,
  withdraw,
} from './approval.ts';
import type { ApprovalStore } from './approval-store-client.ts';

/** How long an answer waits for the audit trail, in milliseconds. */
const AUDIT_WAIT_MS = 2_000;
/** Others may change a request at the same moment; so often it is read again. */
const MOST_ROUNDS = 10;
/** Requests of one caller that wait at the same time: nobody's own crowd keeps others' from being seen. */
const MOST_WAITING = 20;

export interface ApprovalServices {
  readonly approvals: ApprovalStore;
  readonly audit: RecordAudit;
  readonly now: () => Date;
}

/** Who does something to a request, in which call. */
export interface ApprovalCall {
  readonly caller: Approver;
  readonly correlationId: string;
}

type Said = 'action' | 'vault' | 'key' | 'reason' | 'ticket';
/** What is asked for; who asks, and when, comes with the call. */
export type Asking =
  | Pick<RestoreApproval, Said | 'revocation' | 'account' | 'scope'>
  | Pick<RekeyApproval, Said | 'to' | 'maxFailures'>
  | Pick<PauseApproval, Said | 'until'>;

/**
 * Asks for approval. The same asked again, while it waits, is the request that waits.
 *
 * @param needed so many people beside whoever asks have to approve
 * @throws {@link CmkError} `TooManyWaiting`; errors of the store
 */
export async function askForApproval(
  what: Asking,
  needed: number,
  { caller, correlationId }: ApprovalCall,
  services: ApprovalServices,
  log: Log,
): Promise<ApprovalRequest> {
  const { approvals, now } = services;
  const at = now();
  const waiting = (await approvals.waiting(at)).filter(isUnaltered);
  const same = waiting.find((other) => isSameAsking(other, what, caller));
  if (same) return same;
  if (waiting.filter(({ askedBy }) => askedBy.objectId === caller.objectId).length >= MOST_WAITING) {
    const nextStep = 'Withdraw those that are not needed any more, or have them approved.';
    throw new CmkError('TooManyWaiting', `${MOST_WAITING} requests of yours wait for approval already.`, nextStep);
  }
  const ends = [
    at.getTime() + APPROVAL_LIFE_MS,
    ...(what.action === 'pause' && what.until ? [Date.parse(what.until)] : []),
  ];
  const asked: AskedApproval = {
    ...what,
    askedBy: caller,
    askedOn: at.toISOString(),
    expiresOn: new Date(Math.min(...ends)).toISOString(),
  };
  const request: ApprovalRequest = {
    v: 1,
    id: approvalId(asked),
    ...asked,
    needed,
    approvedBy: [],
    state: 'waiting',
  };
  await isPut(request, undefined, approvals);
  await tell('approval.ask', 'ApprovalAsked', request, { caller, correlationId }, services, log);
  return request;
}

/**
 * Approves a request. Whoever is the last that it takes gets it back as `running`, and nobody else does: they carry it out.
 *
 * @param asOfNow `revokers`: object ids, in lower case, of who is in the record of the revocation; `atLeast`: how many the
 * settings ask for by now
 * @throws {@link CmkError} with an `ApprovalRefusal`, or `ApprovalNotFound`
 */
export async function approveRequest(
  id: string,
  { revokers, atLeast }: { readonly revokers: readonly string[]; readonly atLeast: number },
  call: ApprovalCall,
  services: ApprovalServices,
  log: Log,
): Promise<ApprovalRequest> {
  const next = await change(id, services, (request) =>
    approve(request, call.caller, call.correlationId, revokers, services.now(), atLeast),
  );
  await tell('approval.approve', 'ApprovalGiven', next, call, services, log);
  return next;
}

/** @throws {@link CmkError} with an `ApprovalRefusal`, or `ApprovalNotFound` */
export async function withdrawRequest(
  id: string,
  call: ApprovalCall,
  services: ApprovalServices,
  log: Log,
): Promise<ApprovalRequest> {
  const next = await change(id, services, (request) => withdraw(request, call.caller, services.now()));
  await tell('approval.withdraw', 'ApprovalWithdrawn', next, call, services, log);
  return next;
}

/** Writes down how a request that was carried out has ended. */
export async function closeRequest(
  id: string,
  state: 'done' | 'failed',
  outcome: string,
  services: Pick<ApprovalServices, 'approvals'>,
): Promise<ApprovalRequest> {
  return change(id, services, (request) => ({ next: { ...request, state, outcome } }));
}

/** A request by its id. @throws {@link CmkError} `ApprovalNotFound` */
export async function requestOf(
  id: string,
  { approvals }: Pick<ApprovalServices, 'approvals'>,
): Promise<ApprovalRequest> {
  return (await kept(id, approvals)).request;
}

async function change(
  id: string,
  { approvals }: Pick<ApprovalServices, 'approvals'>,
  decide: (request: ApprovalRequest) => Decided,
): Promise<ApprovalRequest> {
  for (let round = 1; round <= MOST_ROUNDS; round += 1) {
    const { request, etag } = await kept(id, approvals);
    const decided = decide(request);
    if ('refused' in decided) throw refused(decided.refused);
    if (await isPut(decided.next, etag, approvals)) return decided.next;
  }
  throw new CmkError('Busy', 'Others change the same request all the time.', 'Repeat the call.');
}

/**
 * Whether it stands there. An answer may be lost, and the client that tries again be refused by its own first try: nobody else
 * would count the approval, or carry out what it was the last for.
 */
async function isPut(next: ApprovalRequest, etag: string | undefined, approvals: ApprovalStore): Promise<boolean> {
  const isThere = async () => {
    const there = await approvals.get(next.id);
    return isDeepStrictEqual(there && plain(there.request), plain(next));
  };
  try {
    return (await approvals.put(next, etag)) || (await isThere());
  } catch (error) {
    if (await isThere().catch(() => false)) return true;
    throw error;
  }
}

/** As it is kept: without what is undefined. */
function plain(request: ApprovalRequest): unknown {
  return JSON.parse(JSON.stringify(request));
}

function refused(reason: ApprovalRefusal): CmkError {
  return new CmkError(reason, REASONS[reason], 'GET /api/approvals shows how it stands.');
}

async function kept(id: string, approvals: ApprovalStore) {
  // The id becomes part of a name.
  const found = /^[0-9a-z]{8,64}$/.test(id) ? await approvals.get(id) : undefined;
  // Who may write the storage could have put another request in the place of the one that is meant.
  if (found && found.request.id !== id) throw refused('ApprovalAltered');
  if (found) return found;
  throw new CmkError('ApprovalNotFound', REASONS.ApprovalNotFound, 'GET /api/approvals lists those there are.');
}

function isSameAsking(other: ApprovalRequest, what: Asking, { objectId }: Approver): boolean {
  return other.askedBy.objectId === objectId && JSON.stringify(askedOf(other)) === JSON.stringify(askedOf(what));
}

/** What tells two requests apart, in one order. */
function askedOf(what: Asking): unknown[] {
  const { action, vault, key, reason, ticket } = what;
  return [action, vault, key, reason, ticket, ...Object.values(particularsOf(what))];
}

async function tell(
  action: string,
  reason: Reason,
  request: ApprovalRequest,
  { caller, correlationId }: ApprovalCall,
  { audit }: Pick<ApprovalServices, 'audit'>,
  log: Log,
): Promise<void> {
  const { id, vault, key, needed, approvedBy, expiresOn } = request;
  const resource = vault && key ? `${vault}/${key}` : EVERY_KEY;
  const more = particularsOf(request);
  const about = {
    approval: id,
    what: request.action,
    key: resource,
    ...more,
    caller: caller.objectId,
    kind: caller.kind,
  };
  log({ level: 'warning', reason, message: REASONS[reason], ...about, client: caller.appId, correlationId });
  const details = { what: request.action, ...more, why: request.reason, ticket: request.ticket, needed, expiresOn };
  const given = approvedBy.map(({ objectId, on }) => ({ objectId, on }));
  const entry = {
    action,
    reason,
    resource,
    caller,
    correlationId,
    details: { ...details, approval: id, given },
  };
  await audit(entry, AUDIT_WAIT_MS);
}

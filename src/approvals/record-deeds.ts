import type { RecordAudit } from '../audit/audit-trail.ts';
import { type AuditEntry, EVERY_KEY } from '../audit/record.ts';
import { recordKept } from '../audit/record-kept.ts';
import { triedFor } from '../azure/deadline.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { type ApprovalWork, KEY_WORK } from '../work/messages.ts';
import { DONE, type Outcome, outcomeOfFailure } from '../work/outcome.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import {
  type ApprovalDeed,
  type ApprovalRequest,
  type Approver,
  isSameDeed,
  isUnaltered,
  particularsOf,
} from './approval.ts';
import { APPROVALS_CONTAINER, type ApprovalStore } from './approval-store-client.ts';
import { changeRequest } from './change-request.ts';

/** How long an answer waits for each of the queue, the audit trail and what is noted of that, in milliseconds. */
const WAIT_MS = 2_000;
/** Nobody waits: there is time to look through the trail of a day on which very much was moved. Milliseconds. */
const LATER_WAIT_MS = 60_000;
/** When a request is looked at, should whoever changes it die: a write that was given up takes no more effect by then. Seconds. */
const IF_KILLED_SECONDS = 120;

export interface DeedServices {
  readonly approvals: ApprovalStore;
  readonly audit: RecordAudit;
  readonly queue: Pick<WorkQueue, 'send'>;
}

/** Who does something to a request, in which call. */
export interface ApprovalCall {
  readonly caller: Approver;
  readonly correlationId: string;
}

const ACTIONS: Readonly<Record<ApprovalDeed['reason'], string>> = {
  ApprovalAsked: 'approval.ask',
  ApprovalGiven: 'approval.approve',
  ApprovalWithdrawn: 'approval.withdraw',
};

/** @param request as it is once it is done */
export function deedOf(
  reason: ApprovalDeed['reason'],
  { needed, approvedBy }: ApprovalRequest,
  { caller, correlationId }: ApprovalCall,
  on: Date,
): ApprovalDeed {
  return { reason, on: on.toISOString(), caller, correlationId, needed, given: approvedBy.length };
}

/**
 * Before a request is changed: should this process die right after that, what was done is recorded. A queue that is down keeps
 * nobody from it: a drift check finds what is not on record. Never rejects.
 */
export async function recordIfKilled(id: string, services: LookServices): Promise<void> {
  await triedFor(WAIT_MS, sendLook(id, services));
}

type LookServices = Pick<DeedServices, 'queue'> & { readonly now: () => Date };

async function sendLook(id: string, { queue, now }: LookServices): Promise<void> {
  const cause = { by: 'approval', ref: id, since: now().toISOString() };
  await queue.send(KEY_WORK, { kind: 'approval', approval: id, cause, attempt: 0 }, IF_KILLED_SECONDS);
}

/**
 * Has each request looked at to which something was done that is not known to be on record. Errors are the SDK's.
 *
 * @returns their ids
 */
export async function reviveApprovals(
  services: LookServices & { readonly approvals: Pick<ApprovalStore, 'unrecorded'> },
): Promise<readonly string[]> {
  const ids = await services.approvals.unrecorded();
  for (const id of ids) await sendLook(id, services);
  return ids;
}

/** Puts on record what was just done, by whoever did it. What cannot be in time stays with the request. Never rejects. */
export async function recordOwn(
  request: ApprovalRequest,
  deed: ApprovalDeed,
  services: DeedServices,
  log: Log,
): Promise<void> {
  tell(request, deed, {}, log);
  const { recorded } = await recordKept([deed], (own) => entryOf(request, own, {}), services.audit, WAIT_MS);
  if (recorded.length > 0) await triedFor(WAIT_MS, noteRecorded(request.id, recorded, services));
}

/** Puts on record what was done to a request and is not known to be there, as whoever did it could not. */
export async function recordDeeds({ approval }: ApprovalWork, services: DeedServices, log: Log): Promise<Outcome> {
  try {
    const kept = await services.approvals.get(approval);
    if (!kept || kept.unrecorded.length === 0) return DONE;
    const { request, unrecorded } = kept;
    if (request.id !== approval || !isUnaltered(request)) {
      // What was really asked for is known no more.
      const message = `${REASONS.AuditFailed} ${REASONS.ApprovalAltered}`;
      log({ level: 'error', reason: 'AuditFailed', because: 'ApprovalAltered', message, approval, unrecorded });
      return DONE;
    }
    const found = (deed: ApprovalDeed) => entryOf(request, deed, FOUND);
    const { recorded } = await recordKept(unrecorded, found, services.audit, LATER_WAIT_MS);
    for (const deed of recorded) tell(request, deed, FOUND, log);
    if (recorded.length > 0) await noteRecorded(approval, recorded, services);
    return recorded.length < unrecorded.length ? UNRECORDED : DONE;
  } catch (error) {
    return outcomeOfFailure(error);
  }
}

const UNRECORDED: Outcome = {
  outcome: 'retry',
  reason: 'AuditFailed',
  detail: 'What was done to a request for approval is not recorded yet.',
  counts: false,
  delaySeconds: 60,
};

/** It is told as it was found in the storage, which proves less than a call. */
const FOUND = { foundIn: APPROVALS_CONTAINER };

async function noteRecorded(
  id: string,
  recorded: readonly ApprovalDeed[],
  { approvals }: Pick<DeedServices, 'approvals'>,
): Promise<void> {
  await changeRequest(id, approvals, ({ request, unrecorded }) => ({
    request,
    unrecorded: unrecorded.filter((deed) => !recorded.some((done) => isSameDeed(done, deed))),
  }));
}

function recordId(id: string, { reason, caller }: ApprovalDeed): string {
  return `${ACTIONS[reason]}/${id}/${caller.objectId.toLowerCase()}`;
}

function tell(request: ApprovalRequest, { reason, caller, correlationId }: ApprovalDeed, more: object, log: Log): void {
  const { id, action: what } = request;
  const about = { approval: id, what, key: resourceOf(request), ...particularsOf(request) };
  const by = { caller: caller.objectId, kind: caller.kind, client: caller.appId, correlationId };
  log({ level: 'warning', reason, message: REASONS[reason], ...about, ...by, ...more });
}

function entryOf(request: ApprovalRequest, deed: ApprovalDeed, more: object): AuditEntry {
  const { id, action: what, reason: why, ticket, approvedBy, expiresOn } = request;
  const { reason, on, caller, correlationId, needed } = deed;
  const given = approvedBy.slice(0, deed.given).map((by) => ({ objectId: by.objectId, on: by.on }));
  const asked = { what, ...particularsOf(request), why, ticket, needed, expiresOn };
  return {
    id: recordId(id, deed),
    action: ACTIONS[reason],
    reason,
    resource: resourceOf(request),
    caller,
    correlationId,
    details: { ...asked, approval: id, given, on, ...more },
  };
}

function resourceOf({ vault, key }: ApprovalRequest): string {
  return vault && key ? `${vault}/${key}` : EVERY_KEY;
}

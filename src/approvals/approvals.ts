import { CmkError } from '../errors.ts';
import type { Log } from '../log.ts';
import {
  APPROVAL_LIFE_MS,
  type ApprovalDeed,
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
import { changeRequest, isPut, keptRequest } from './change-request.ts';
import { type ApprovalCall, type DeedServices, deedOf, recordIfKilled, recordOwn } from './record-deeds.ts';

/** Requests of one caller that wait at the same time: nobody's own crowd keeps others' from being seen. */
const MOST_WAITING = 20;

/** What is done to a request, and by whom, needs this. */
export type ApprovalServices = DeedServices & { readonly now: () => Date };

type Said = 'action' | 'vault' | 'key' | 'reason' | 'ticket';
/** What is asked for; who asks, and when, comes with the call. */
export type Asking =
  | Pick<RestoreApproval, Said | 'revocation'>
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
  call: ApprovalCall,
  services: ApprovalServices,
  log: Log,
): Promise<ApprovalRequest> {
  const { approvals, now } = services;
  const { caller } = call;
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
  const deed = deedOf('ApprovalAsked', request, call, at);
  await recordIfKilled(request.id, services);
  await isPut({ request, unrecorded: [deed] }, undefined, approvals);
  await recordOwn(request, deed, services, log);
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
  const decide = (request: ApprovalRequest, on: Date) =>
    approve(request, call.caller, call.correlationId, revokers, on, atLeast);
  return change(id, 'ApprovalGiven', decide, call, services, log);
}

/** @throws {@link CmkError} with an `ApprovalRefusal`, or `ApprovalNotFound` */
export async function withdrawRequest(
  id: string,
  call: ApprovalCall,
  services: ApprovalServices,
  log: Log,
): Promise<ApprovalRequest> {
  const decide = (request: ApprovalRequest, on: Date) => withdraw(request, call.caller, on);
  return change(id, 'ApprovalWithdrawn', decide, call, services, log);
}

async function change(
  id: string,
  reason: ApprovalDeed['reason'],
  decide: (request: ApprovalRequest, on: Date) => Decided,
  call: ApprovalCall,
  services: ApprovalServices,
  log: Log,
): Promise<ApprovalRequest> {
  let isLookedAt: Promise<void> | undefined;
  const { request, deed } = await changeRequest(id, services.approvals, async ({ request: found, unrecorded }) => {
    const on = services.now();
    const decided = decide(found, on);
    if ('refused' in decided) return decided;
    const own = deedOf(reason, decided.next, call, on);
    // Once, however many others are faster: a queue that hangs would make each of them wait anew.
    isLookedAt ??= recordIfKilled(id, services);
    await isLookedAt;
    return { request: decided.next, unrecorded: [...unrecorded, own], deed: own };
  });
  await recordOwn(request, deed, services, log);
  return request;
}

/** Writes down how a request that was carried out has ended. */
export async function closeRequest(
  id: string,
  state: 'done' | 'failed',
  outcome: string,
  services: Pick<ApprovalServices, 'approvals'>,
): Promise<ApprovalRequest> {
  const closed = await changeRequest(id, services.approvals, ({ request, unrecorded }) => ({
    request: { ...request, state, outcome },
    unrecorded,
  }));
  return closed.request;
}

/** A request by its id. @throws {@link CmkError} `ApprovalNotFound` */
export async function requestOf(
  id: string,
  { approvals }: { readonly approvals: Pick<ApprovalStore, 'get'> },
): Promise<ApprovalRequest> {
  return (await keptRequest(id, approvals)).request;
}

function isSameAsking(other: ApprovalRequest, what: Asking, { objectId }: Approver): boolean {
  return other.askedBy.objectId === objectId && JSON.stringify(askedOf(other)) === JSON.stringify(askedOf(what));
}

/** What tells two requests apart, in one order. */
function askedOf(what: Asking): unknown[] {
  const { action, vault, key, reason, ticket } = what;
  return [action, vault, key, reason, ticket, ...Object.values(particularsOf(what))];
}

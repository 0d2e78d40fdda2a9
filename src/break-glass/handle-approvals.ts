import { type ApprovalRequest, isUnaltered, type RestoreApproval } from '../approvals/approval.ts';
import {
  type ApprovalServices,
  approveRequest,
  askForApproval,
  closeRequest,
  requestOf,
  withdrawRequest,
} from '../approvals/approvals.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { CmkError } from '../errors.ts';
import { HttpProblem } from '../http/problem.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
import type { RevocationCall } from '../revocation/record-revocation.ts';
import { openRevocation, revokers } from '../revocation/revocation.ts';
import type { Settings } from '../settings/settings.ts';
import { handleRestore, type RestoreApiServices } from './handle-restore.ts';
import { keyOfCall, listOrRefuse, noSuchKey, unreadable } from './key-of-route.ts';
import type { RestoreResponse } from './schemas.ts';

export interface ApprovalApiServices extends RestoreApiServices, ApprovalServices {
  readonly settings: RestoreApiServices['settings'] & Pick<Settings, 'access' | 'vaults'>;
}

/** Refusals of a request for approval, with their status. */
const STATUS: Partial<Record<Reason, number>> = {
  ApprovalNotFound: 404,
  ApprovalAltered: 409,
  ApprovalOver: 409,
  ApprovalExpired: 409,
  ApprovedAlready: 409,
  Busy: 409,
  ApproverIsAsker: 403,
  ApproverIsRevoker: 403,
  ApproverIsApplication: 403,
  NotTheAsker: 403,
};

/**
 * Asks for a restore that others have to approve. What cannot be restored is not asked for: another revocation is open, or
 * whoever asks has revoked.
 *
 * @throws {@link HttpProblem} 403, 404, 409; 503 when requests cannot be kept
 */
export async function handleAsk(
  key: ManagedKey,
  { revocation, reason, ticket }: Pick<RestoreApproval, 'revocation' | 'reason' | 'ticket'>,
  call: RevocationCall,
  services: ApprovalApiServices,
  log: Log,
): Promise<ApprovalRequest> {
  const { access, dualControl } = services.settings;
  if (access.restoreApprovals === 0) {
    throw new HttpProblem(409, 'ApprovalNotNeeded', REASONS.ApprovalNotNeeded, 'Restore the key itself.');
  }
  const versions = await versionsOf(key, services);
  const open = openRevocation(versions, services.now());
  if (open?.id !== revocation) {
    const nextStep = open ? `The open revocation is ${open.id}.` : 'No revocation of this key is open.';
    throw new HttpProblem(409, 'OtherRevocation', `${REASONS.OtherRevocation} Nothing was asked for.`, nextStep);
  }
  if (dualControl && revokers(versions, services.now()).includes(call.caller.objectId.toLowerCase())) {
    const nextStep = 'Have somebody else with the app role CmkKey.Restore ask.';
    throw new HttpProblem(403, 'SecondPersonNeeded', REASONS.SecondPersonNeeded, nextStep);
  }
  const what = { action: 'restore' as const, vault: key.vault.name, key: key.name, revocation, reason, ticket };
  return approvalsKept(() => askForApproval(what, access.restoreApprovals, call, services, log));
}

/** The requests of the keys that a caller may see, newest first. */
export async function listApprovals(
  mayRead: (request: ApprovalRequest) => boolean,
  { approvals }: Pick<ApprovalServices, 'approvals'>,
): Promise<readonly ApprovalRequest[]> {
  const requests = await approvalsKept(() => approvals.list());
  return requests.filter((request) => isUnaltered(request) && mayRead(request));
}

/** A request that the caller's role reaches. @throws {@link HttpProblem} 403, 404 */
export async function requestInReach(
  id: string,
  requireFor: (request: ApprovalRequest) => void,
  services: Pick<ApprovalServices, 'approvals'>,
): Promise<ApprovalRequest> {
  const request = await approvalsKept(() => requestOf(id, services));
  requireFor(request);
  return request;
}

/**
 * Approves; with the last approval that it takes, carries out what was asked for: that, and once.
 *
 * @throws {@link HttpProblem} 403, 404, 409; what a restore refuses with
 */
export async function handleApprove(
  { id, vault, key: name }: RestoreApproval,
  call: Pick<RevocationCall, 'caller' | 'correlationId'>,
  services: ApprovalApiServices,
  log: Log,
): Promise<{ readonly approval: ApprovalRequest; readonly restore?: RestoreResponse }> {
  const key = keyOfCall(services.settings.vaults, vault, name);
  const now = {
    revokers: revokers(await versionsOf(key, services), services.now()),
    atLeast: services.settings.access.restoreApprovals,
  };
  const approval = await approvalsKept(() => approveRequest(id, now, call, services, log));
  if (approval.state !== 'running' || approval.action !== 'restore') return { approval };
  const run = () => carryOut(key, approval, services, log);
  const { result, approval: closed } = await runOnce(approval, run, ({ reason }) => reason, services, log);
  return { approval: closed, restore: result };
}

/** Carries out what was approved, and writes down how that ended. @throws what it throws */
export async function runOnce<T>(
  approval: ApprovalRequest,
  run: () => Promise<T>,
  outcomeOf: (result: T) => string,
  services: Pick<ApprovalServices, 'approvals'>,
  log: Log,
): Promise<{ readonly result: T; readonly approval: ApprovalRequest }> {
  try {
    const result = await run();
    return { result, approval: await close(approval, 'done', outcomeOf(result), services, log) };
  } catch (error) {
    const reason = error instanceof HttpProblem || error instanceof CmkError ? error.reason : 'Unexpected';
    await close(approval, 'failed', reason, services, log);
    throw error;
  }
}

/** @throws {@link HttpProblem} 403, 404, 409 */
export async function handleWithdraw(
  { id }: ApprovalRequest,
  call: Pick<RevocationCall, 'caller' | 'correlationId'>,
  services: ApprovalServices,
  log: Log,
): Promise<ApprovalRequest> {
  return approvalsKept(() => withdrawRequest(id, call, services, log));
}

/** Who approved it, for the audit trail of what was done. */
export function approvedAs({ id, approvedBy }: ApprovalRequest) {
  return { id, approvedBy: approvedBy.map(({ objectId, on }) => ({ objectId, on })) };
}

/** As whoever asked, in the call of whoever was the last to approve. */
function carryOut(
  key: ManagedKey,
  request: RestoreApproval,
  services: ApprovalApiServices,
  log: Log,
): Promise<RestoreResponse> {
  const { id, revocation, askedBy, approvedBy, reason, ticket } = request;
  const call: RevocationCall = {
    caller: askedBy,
    correlationId: approvedBy.at(-1)?.correlationId ?? id,
    why: reason,
    ticket,
    approval: approvedAs(request),
  };
  return handleRestore(key, { reason, revocation }, call, services, log);
}

/** That the end of it cannot be written down undoes nothing: it stays `running`, and nobody can carry it out again. */
async function close(
  request: ApprovalRequest,
  state: 'done' | 'failed',
  outcome: string,
  services: Pick<ApprovalServices, 'approvals'>,
  log: Log,
): Promise<ApprovalRequest> {
  try {
    return await closeRequest(request.id, state, outcome, services);
  } catch (error) {
    const message = `How an approved request ended could not be written down: ${describe(describeFailure(error))}`;
    log({ level: 'error', reason: 'Unexpected', message, approval: request.id, outcome });
    return { ...request, state, outcome };
  }
}

/** The versions; of a deleted key the one that Key Vault shows. @throws {@link HttpProblem} 404, 502 */
async function versionsOf(key: ManagedKey, services: RestoreApiServices): Promise<readonly KeyVersion[]> {
  const versions = await listOrRefuse(key, services);
  if (versions.length > 0) return versions;
  const deleted = await services.urgentKeys.deletedVersion(key).catch((error: unknown) => {
    throw unreadable(error);
  });
  if (!deleted) throw noSuchKey();
  return [deleted];
}

/** @throws {@link HttpProblem} for what is refused; 503 when requests cannot be kept */
export async function approvalsKept<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const status = error instanceof CmkError ? STATUS[error.reason] : undefined;
    if (error instanceof CmkError && status !== undefined) {
      throw new HttpProblem(status, error.reason, error.message, error.nextStep, { cause: error });
    }
    throw new HttpProblem(
      503,
      'ServiceUnavailable',
      `Requests for approval are kept in the app's own storage, which cannot be reached: ${describe(describeFailure(error))}`,
      'Repeat the call in a minute; if it stays, restore with `cmk key restore` on your own sign-in: the trail says that nobody approved.',
      { cause: error },
    );
  }
}

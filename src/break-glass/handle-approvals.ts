import type { ApprovalRequest, RestoreApproval } from '../approvals/approval.ts';
import { type ApprovalServices, askForApproval, requestOf, withdrawRequest } from '../approvals/approvals.ts';
import { approveAndCarryOut, callAsAsked, inApprovals } from '../approvals/approved-once.ts';
import { HttpProblem } from '../http/problem.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { hasEverRevoked } from '../revocation/has-ever-revoked.ts';
import type { RevocationCall } from '../revocation/record-revocation.ts';
import { refusedRestore } from '../revocation/restore-key.ts';
import { openRevocation } from '../revocation/revocation.ts';
import type { Settings } from '../settings/settings.ts';
import { handleRestore, type RestoreApiServices, revocationUnbelieved } from './handle-restore.ts';
import { keyOfCall, listOrRefuse, noSuchKey, unreadable } from './key-of-route.ts';
import type { RestoreResponse } from './schemas.ts';

interface ApprovalApiServices extends RestoreApiServices, ApprovalServices {
  readonly settings: RestoreApiServices['settings'] & Pick<Settings, 'access' | 'vaults'>;
}

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
  const asked = { revocation, restoredBy: call.caller.objectId, dualControl };
  const refused = refusedRestore(versions, asked, services.now());
  if (refused === 'secondPerson') {
    const nextStep = 'Have somebody else with the app role CmkKey.Restore ask.';
    throw new HttpProblem(403, 'SecondPersonNeeded', REASONS.SecondPersonNeeded, nextStep);
  }
  if (refused === 'unbelieved') throw revocationUnbelieved(' Nothing was asked for.');
  if (refused) {
    const open = openRevocation(versions, services.now());
    const nextStep = open ? `The open revocation is ${open.id}.` : 'No revocation of this key is open.';
    throw new HttpProblem(409, 'OtherRevocation', `${REASONS.OtherRevocation} Nothing was asked for.`, nextStep);
  }
  const what = { action: 'restore', vault: key.vault.name, key: key.name, revocation, reason, ticket } as const;
  return inApprovals(() => askForApproval(what, access.restoreApprovals, call, services, log));
}

/** The caller, if they have revoked. */
async function revokersOf(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  { objectId, kind }: RevocationCall['caller'],
  { keyTrail, now }: Pick<ApprovalApiServices, 'keyTrail' | 'now'>,
): Promise<readonly string[]> {
  try {
    const approver = { objectId, isApplication: kind === 'application' };
    return (await hasEverRevoked(key, versions, approver, keyTrail, now())) ? [objectId.toLowerCase()] : [];
  } catch (error) {
    const nextStep = 'Repeat the call once the audit trail can be read.';
    throw new HttpProblem(503, 'RevokersUnread', REASONS.RevokersUnread, nextStep, { cause: error });
  }
}

/** A request by its id. @throws {@link HttpProblem} 404 */
export async function approvalAsked(
  id: string,
  services: Pick<ApprovalServices, 'approvals'>,
): Promise<ApprovalRequest> {
  return inApprovals(() => requestOf(id, services));
}

/**
 * Approves a restore; with the last approval that it takes, carries it out.
 *
 * @throws {@link HttpProblem} 403, 404, 409; what a restore refuses with
 */
export async function handleApprove(
  asked: RestoreApproval,
  call: Pick<RevocationCall, 'caller' | 'correlationId'>,
  services: ApprovalApiServices,
  log: Log,
): Promise<{ readonly approval: ApprovalRequest; readonly restore?: RestoreResponse }> {
  const key = keyOfCall(services.settings.vaults, asked.vault, asked.key);
  const now = {
    revokers: await revokersOf(key, await versionsOf(key, services), call.caller, services),
    atLeast: services.settings.access.restoreApprovals,
  };
  const { approval, result } = await approveAndCarryOut(asked, now, call, services, log, async (approved) => {
    const restore = await handleRestore(key, approved, callAsAsked(approved), services, log);
    return { result: restore, outcome: restore.reason };
  });
  return { approval, ...(result ? { restore: result } : {}) };
}

/** @throws {@link HttpProblem} 403, 404, 409 */
export async function handleWithdraw(
  { id }: ApprovalRequest,
  call: Pick<RevocationCall, 'caller' | 'correlationId'>,
  services: ApprovalServices,
  log: Log,
): Promise<ApprovalRequest> {
  return inApprovals(() => withdrawRequest(id, call, services, log));
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

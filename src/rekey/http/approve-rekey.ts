import type { ApprovalRequest, RekeyApproval } from '../../approvals/approval.ts';
import { approveAndCarryOut, approvedOf } from '../../approvals/approved-once.ts';
import type { ApprovalCall } from '../../approvals/record-deeds.ts';
import type { Log } from '../../log.ts';
import { keyByPath, type RekeyApiServices, startFit } from './rekey-api.ts';

/**
 * Approves a re-key; with the last approval that it takes, starts it, as whoever asked. What stands in its way is looked at
 * anew: with anything, it is over, and has to be asked for again.
 *
 * @throws HttpProblem 403, 404, 409
 */
export async function approveRekey(
  asked: RekeyApproval,
  call: ApprovalCall,
  services: RekeyApiServices,
  log: Log,
): Promise<{ readonly approval: ApprovalRequest; readonly rekey?: unknown }> {
  const asOfNow = { revokers: [], atLeast: services.approvalsNeeded };
  const { approval, result } = await approveAndCarryOut(asked, asOfNow, call, services, log, async (approved) => {
    const { vault, key, to, reason, ticket, maxFailures } = approved;
    const request = {
      from: keyByPath(`${vault}/${key}`, services.vaults),
      to: keyByPath(`${to.vault}/${to.key}`, services.vaults),
      ...{ reason, ticket, maxFailures, approval: approvedOf(approved) },
    };
    const asker = { caller: approved.askedBy, correlationId: call.correlationId };
    return { result: await startFit(request, asker, services, log), outcome: 'RekeyStarted' };
  });
  return { approval, ...(result ? { rekey: result } : {}) };
}

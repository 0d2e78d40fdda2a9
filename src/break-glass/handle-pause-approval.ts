import type { ApprovalRequest, PauseApproval } from '../approvals/approval.ts';
import { type ApprovalServices, askForApproval } from '../approvals/approvals.ts';
import { approveAndCarryOut, callAsAsked, inApprovals } from '../approvals/approved-once.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { type ControlPorts, type Ordered, orderPause } from '../orders/order-pause.ts';
import type { RevocationCall } from '../revocation/record-revocation.ts';
import { keyOfCall } from './key-of-route.ts';

interface PauseApprovalServices extends ApprovalServices, ControlPorts {
  readonly settings: { readonly vaults: ManagedVaults; readonly access: { readonly pauseApprovals: number } };
}

/** Asks for a pause that others have to approve. @throws {@link HttpProblem} 503 when requests cannot be kept */
export function handleAskPause(
  key: ManagedKey | undefined,
  { reason, ticket, until }: Pick<PauseApproval, 'reason' | 'ticket' | 'until'>,
  call: Pick<RevocationCall, 'caller' | 'correlationId'>,
  services: PauseApprovalServices,
  log: Log,
): Promise<ApprovalRequest> {
  const about = key && { vault: key.vault.name, key: key.name };
  const what = { action: 'pause' as const, ...about, reason, ticket, until };
  return inApprovals(() => askForApproval(what, services.settings.access.pauseApprovals, call, services, log));
}

/**
 * Approves; with the last approval that it takes, pauses what was asked for: that, and once.
 *
 * @throws {@link HttpProblem} 403, 404, 409; the SDK's error when the pause cannot be kept
 */
export async function handleApprovePause(
  asked: PauseApproval,
  call: Pick<RevocationCall, 'caller' | 'correlationId'>,
  services: PauseApprovalServices,
  log: Log,
): Promise<{ readonly approval: ApprovalRequest; readonly pauses?: Ordered['pauses'] }> {
  const { vaults, access } = services.settings;
  const key = asked.key === undefined ? undefined : keyOfCall(vaults, asked.vault, asked.key);
  const now = { revokers: [], atLeast: access.pauseApprovals };
  const { approval, result } = await approveAndCarryOut(asked, now, call, services, log, async (approved) => {
    const { reason, until } = approved;
    const what = { reason, key: key?.id, until: until === undefined ? undefined : new Date(until) };
    return { result: await orderPause({ ...callAsAsked(approved), ...what }, services, log), outcome: 'Paused' };
  });
  return { approval, ...(result ? { pauses: result.pauses } : {}) };
}

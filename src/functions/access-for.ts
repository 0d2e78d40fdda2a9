import type { ApprovalRequest } from '../approvals/approval.ts';
import type { AccessAsked, RouteKey } from '../http/access.ts';

/** What it takes to approve or to take back a request: what it would take to do it. */
export function accessFor(request: ApprovalRequest): AccessAsked {
  const key = keyAskedFor(request);
  return request.action === 'pause'
    ? { role: 'Cmk.Operate', act: 'change', key }
    : { role: 'CmkKey.Restore', act: 'restore', key };
}

/** The key that a request is about; undefined: all of them. */
export function keyAskedFor({ vault, key }: ApprovalRequest): RouteKey | undefined {
  return vault === undefined || key === undefined ? undefined : { vault, key };
}

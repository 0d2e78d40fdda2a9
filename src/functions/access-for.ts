import type { ApprovalRequest } from '../approvals/approval.ts';
import type { AccessAsked, RouteKey } from '../http/access.ts';

/** What it takes to approve or to take back a request: what it would take to do it, on every key that it is about. */
export function accessFor(request: ApprovalRequest): readonly AccessAsked[] {
  return keysAskedFor(request).map((key) =>
    request.action === 'restore'
      ? { role: 'CmkKey.Restore', act: 'restore', key }
      : { role: 'Cmk.Operate', act: 'change', key },
  );
}

/** The keys that a request is about; undefined: all of them. */
export function keysAskedFor(request: ApprovalRequest): readonly (RouteKey | undefined)[] {
  const { vault, key } = request;
  if (vault === undefined || key === undefined) return [undefined];
  return request.action === 'rekey' ? [{ vault, key }, request.to] : [{ vault, key }];
}

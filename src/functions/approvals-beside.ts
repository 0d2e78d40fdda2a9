import type { ApprovalRequest } from '../approvals/approval.ts';
import type { ApprovalsPart } from '../approvals/known-approvals.ts';
import { messageOf } from '../errors.ts';
import { reachesKey } from '../http/access.ts';
import type { PartTelling } from '../http/part.ts';
import { keysAskedFor } from './access-for.ts';
import type { ApiCall } from './api.ts';
import { knownApprovals } from './shared-calls.ts';

/** An answer with the requests for approval about it, as far as the caller may see them. */
export function withApprovals<T>(
  answering: Promise<T>,
  isAbout: (request: ApprovalRequest) => boolean,
  call: ApiCall,
): Promise<{ readonly answer: T; readonly approvals: ApprovalsPart }> {
  return knownApprovals.beside(answering, (one) => isAbout(one) && maySee(one, call), call.services, tellingOf(call));
}

/** Whether the caller's role reaches every key that a request is about. */
export function maySee(request: ApprovalRequest, { caller, services }: Pick<ApiCall, 'caller' | 'services'>): boolean {
  return keysAskedFor(request).every((key) => reachesKey(caller, 'CmkKey.Read', key, services.settings.access));
}

/** What nobody foresaw of one part is told to the log, as it is of a whole answer. */
export function tellingOf({ log, correlationId }: ApiCall): PartTelling {
  return {
    correlationId,
    onUnexpected: (error) => log({ level: 'error', reason: 'Unexpected', message: messageOf(error), correlationId }),
  };
}

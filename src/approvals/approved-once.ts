import { describe, describeFailure } from '../azure/failure.ts';
import { CmkError } from '../errors.ts';
import { HttpProblem } from '../http/problem.ts';
import type { Log } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { type ApprovalRequest, isUnaltered } from './approval.ts';
import { type ApprovalServices, approveRequest, closeRequest } from './approvals.ts';
import type { ApprovalCall } from './record-deeds.ts';

/** Refusals of a request for approval, with their status. */
const STATUS: Partial<Record<Reason, number>> = {
  ApprovalNotFound: 404,
  ApprovalAltered: 409,
  ApprovalOver: 409,
  ApprovalExpired: 409,
  ApprovedAlready: 409,
  TooManyWaiting: 409,
  Busy: 409,
  ApproverIsAsker: 403,
  ApproverIsRevoker: 403,
  ApproverIsApplication: 403,
  NotTheAsker: 403,
};

/** Who asked, and who approved, as the audit trail has it. */
export interface Approved {
  readonly id: string;
  readonly approvedBy: { readonly objectId: string; readonly on: string }[];
}

/**
 * Approves; with the last approval that it takes, carries out what was asked for: that, and once.
 *
 * @param asked as it was read, and as the caller's right to approve it was judged by
 * @param asOfNow `revokers`: who may not approve for having revoked; `atLeast`: how many the settings ask for by now
 * @param carryOut does it, and says by a reason code how it ended
 * @throws {@link HttpProblem} 403, 404, 409, and what `carryOut` throws
 */
export async function approveAndCarryOut<A extends ApprovalRequest, T>(
  asked: A,
  asOfNow: { readonly revokers: readonly string[]; readonly atLeast: number },
  call: ApprovalCall,
  services: ApprovalServices,
  log: Log,
  carryOut: (approved: A) => Promise<{ readonly result: T; readonly outcome: Reason }>,
): Promise<{ readonly approval: ApprovalRequest; readonly result?: T }> {
  const approval = await inApprovals(() => {
    // What is carried out is what was looked at until now, and that is what the id stands for.
    if (!isUnaltered(asked)) throw new CmkError('ApprovalAltered', REASONS.ApprovalAltered, 'Ask for it again.');
    return approveRequest(asked.id, asOfNow, call, services, log);
  });
  if (approval.state !== 'running') return { approval };
  try {
    const { result, outcome } = await carryOut({ ...asked, approvedBy: approval.approvedBy });
    return { approval: await close(approval, 'done', outcome, services, log), result };
  } catch (error) {
    const reason = error instanceof HttpProblem || error instanceof CmkError ? error.reason : 'Unexpected';
    await close(approval, 'failed', reason, services, log);
    throw error;
  }
}

/** The call that carries it out: as whoever asked, in the call of whoever was the last to approve. */
export function callAsAsked(approved: ApprovalRequest) {
  const { id, askedBy, approvedBy, reason: why, ticket } = approved;
  const correlationId = approvedBy.at(-1)?.correlationId ?? id;
  return { caller: askedBy, correlationId, why, ticket, approval: approvedOf(approved) };
}

export function approvedOf({ id, approvedBy }: ApprovalRequest): Approved {
  return { id, approvedBy: approvedBy.map(({ objectId, on }) => ({ objectId, on })) };
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

/** Words what the store of requests answers. @throws {@link HttpProblem} 403, 404, 409; 503 when it cannot be reached */
export async function inApprovals<T>(run: () => Promise<T>): Promise<T> {
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
      'Repeat the call in a minute; if it stays, restore with `cmk key restore` or `cmk account restore` on your own sign-in: the trail says that nobody approved.',
      { cause: error },
    );
  }
}

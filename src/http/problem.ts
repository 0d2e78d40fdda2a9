import type { HttpResponseInit } from '@azure/functions';
import { CmkError } from '../errors.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { HTTP_REASONS, type HttpReason } from './http-reasons.ts';

/** Namespace of the `type` of every problem; the reason code follows. */
const PROBLEM_TYPE = 'urn:cmk-autopilot:problem:';

/** Why one part of an answer is not there, while the others are: RFC 9457 problem details with this app's own members. */
export interface PartProblem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Reason code, the same as in logs and reports. */
  readonly reason: HttpReason | Reason;
  /** One sentence that tells the caller what to do. */
  readonly nextStep: string;
  readonly [extension: string]: unknown;
}

/** Body of an error answer. */
export interface ProblemDetails extends PartProblem {
  /** Names this one answer; the log has the same id. */
  readonly instance: string;
  readonly correlationId: string;
}

/** A refusal that is meant to be read by the caller: nothing in it may be secret. */
export class HttpProblem extends Error {
  readonly status: number;
  readonly reason: HttpReason | Reason;
  readonly nextStep: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly extensions: Readonly<Record<string, unknown>>;
  /** For the log alone. */
  readonly logged: Readonly<Record<string, unknown>>;

  constructor(
    status: number,
    reason: HttpReason | Reason,
    detail: string,
    nextStep: string,
    options: ErrorOptions & {
      readonly headers?: Readonly<Record<string, string>>;
      readonly extensions?: Readonly<Record<string, unknown>>;
      readonly logged?: Readonly<Record<string, unknown>>;
    } = {},
  ) {
    super(detail, options);
    this.name = 'HttpProblem';
    this.status = status;
    this.reason = reason;
    this.nextStep = nextStep;
    this.headers = options.headers ?? {};
    this.extensions = options.extensions ?? {};
    this.logged = options.logged ?? {};
  }
}

/** Reasons of {@link CmkError} that a caller is told, with their status. Any other stays in the log. */
const STATUS_OF_REASON: Readonly<Partial<Record<Reason, number>>> = {
  VaultNotManaged: 404,
  KeyNotFound: 404,
  VaultNotFound: 404,
  RevocationOpen: 409,
  SubscriptionUnreadable: 502,
  MissingPermission: 502,
  VaultUnreadable: 502,
  Refused: 502,
  Throttled: 503,
  ServiceUnavailable: 503,
};

interface ProblemOptions {
  /** Id of the request, logged too. The host's invocation id serves. */
  readonly correlationId: string;
  /** Told of every error that the caller is not told of, to be logged under the correlation id. */
  readonly onUnexpected?: (error: unknown, correlationId: string) => void;
  /** Further reasons that the caller may be told. */
  readonly statuses?: Readonly<Partial<Record<Reason, number>>>;
}

/** Turns any error into an answer. An unexpected one becomes a 500 that names the correlation id alone. */
export function problemResponse(error: unknown, options: ProblemOptions): HttpResponseInit {
  const problem = toProblem(error, options);
  const { correlationId } = options;
  const body: ProblemDetails = {
    ...detailsOf(problem),
    instance: `urn:cmk-autopilot:request:${encodeURIComponent(correlationId)}`,
    correlationId,
  };
  return {
    status: problem.status,
    headers: {
      ...problem.headers,
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    },
    body: JSON.stringify(body),
  };
}

/** The same for one part of an answer. */
export function partProblem(error: unknown, options: ProblemOptions): PartProblem {
  return detailsOf(toProblem(error, options));
}

function detailsOf(problem: HttpProblem): PartProblem {
  return {
    ...problem.extensions,
    type: `${PROBLEM_TYPE}${problem.reason}`,
    title: titleOf(problem.reason),
    status: problem.status,
    detail: problem.message,
    reason: problem.reason,
    nextStep: problem.nextStep,
  };
}

function toProblem(error: unknown, options: ProblemOptions): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (error instanceof CmkError) {
    const status = options.statuses?.[error.reason] ?? STATUS_OF_REASON[error.reason];
    if (status !== undefined) return new HttpProblem(status, error.reason, error.message, error.nextStep);
  }
  options.onUnexpected?.(error, options.correlationId);
  return new HttpProblem(
    500,
    'Unexpected',
    'The call failed for a reason that is in the log.',
    `Look in the log for ${options.correlationId}; the call can be repeated safely.`,
  );
}

function titleOf(reason: HttpReason | Reason): string {
  return reason in HTTP_REASONS ? HTTP_REASONS[reason as HttpReason] : REASONS[reason as Reason];
}

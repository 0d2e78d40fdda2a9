import type { HttpResponseInit } from '@azure/functions';
import { z } from 'zod';
import { describeError } from '../azure/failure.ts';
import { CmkError, SettingsError } from '../errors/errors.ts';
import { findRefusal, REFUSALS, type Refusal } from '../errors/refusals.ts';

/** Namespace of the `type` of every problem, before the reason code. */
const PROBLEM_TYPE = 'urn:cmk-autopilot:problem:';

/** Body of an error answer. */
export const PROBLEM = z.looseObject({
  type: z.string().describe('URN that ends in the reason code.'),
  title: z.string().describe('Meaning of the reason code; always the same text.'),
  status: z.int().min(400).max(599),
  detail: z.string().describe('What happened in this call.'),
  reason: z.string().describe('Reason code, the same as in logs and reports.'),
  nextStep: z.string().describe('What to do next, in one sentence.'),
  instance: z.string(),
  correlationId: z.string().describe('Correlation id, which the log records of the call share.'),
});
export type ProblemDetails = z.output<typeof PROBLEM>;

/** Why a part of an answer is missing: a problem without the fields that identify an answer. */
export const PART_PROBLEM = PROBLEM.omit({ instance: true, correlationId: true });

/** Fields of a rejection beyond the table of refusals. */
interface ProblemOptions extends ErrorOptions {
  /** What happened in this call. */
  readonly detail?: string;
  readonly nextStep?: string;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly extensions?: Readonly<Record<string, unknown>>;
  /** Fields for the log only. */
  readonly logged?: Readonly<Record<string, unknown>>;
}

/** A rejection for the caller, who sees its text, so it must have no secrets. */
export class HttpProblem extends Error {
  readonly status: number;
  readonly reason: Refusal;
  readonly nextStep: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly extensions: Readonly<Record<string, unknown>>;
  readonly logged: Readonly<Record<string, unknown>>;

  constructor(reason: Refusal, options: ProblemOptions = {}) {
    const { sentence, nextStep, status = 500 } = findRefusal(reason) ?? REFUSALS.Unexpected;
    super(options.detail ?? sentence, options);
    this.name = 'HttpProblem';
    this.status = options.status ?? status;
    this.reason = reason;
    this.nextStep = options.nextStep ?? nextStep;
    this.headers = options.headers ?? {};
    this.extensions = options.extensions ?? {};
    this.logged = options.logged ?? {};
  }
}

/**
 * Builds `WWW-Authenticate` (RFC 6750, section 3). A call without a token gets only the scheme.
 *
 * @param description plain ASCII without quotes or backslashes; an unauthenticated caller sees it
 * @param claims claims for the next token in base64, for `insufficient_claims`
 */
export function formatChallenge(
  error?: 'invalid_request' | 'invalid_token' | 'insufficient_scope' | 'insufficient_claims',
  description?: string,
  claims?: string,
): string {
  const parts = ['Bearer realm="cmk-autopilot"'];
  if (error) parts.push(`error="${error}"`);
  if (description) parts.push(`error_description="${description}"`);
  if (claims) parts.push(`claims="${claims}"`);
  return parts.join(', ');
}

/** Context of the answering call: its correlation id, and the log for errors that callers must not see. */
export interface AnswerContext {
  readonly correlationId: string;
  readonly onUnexpected: (error: unknown) => void;
}

/** Converts any error to an answer. An unexpected error becomes a 500 with only the correlation id. */
export function toProblemResponse(error: unknown, context: AnswerContext): HttpResponseInit {
  const problem = toProblem(error, context);
  const { correlationId } = context;
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

/** Converts any error to the problem of a part. */
export function toPartProblem(error: unknown, context: AnswerContext): z.output<typeof PART_PROBLEM> {
  return detailsOf(toProblem(error, context));
}

function detailsOf(problem: HttpProblem): z.output<typeof PART_PROBLEM> {
  return {
    ...problem.extensions,
    type: `${PROBLEM_TYPE}${problem.reason}`,
    title: REFUSALS[problem.reason].sentence,
    status: problem.status,
    detail: problem.message,
    reason: problem.reason,
    nextStep: problem.nextStep,
  };
}

/**
 * Converts an error to a problem. The caller sees the app's own errors that have a status; only the log names invalid
 * settings.
 */
function toProblem(error: unknown, { correlationId, onUnexpected }: AnswerContext): HttpProblem {
  if (error instanceof HttpProblem) return error;

  if (
    error instanceof CmkError &&
    !(error instanceof SettingsError) &&
    findRefusal(error.reason)?.status !== undefined
  ) {
    const { reason, message: detail, nextStep } = error;
    return new HttpProblem(reason as Refusal, { detail, nextStep });
  }

  onUnexpected(error);

  return new HttpProblem('Unexpected', {
    detail: 'The call failed unexpectedly; the log has the reason.',
    nextStep: `Search the log for ${correlationId}. You can safely repeat the call.`,
  });
}

/**
 * Runs a read or write of a service that may be unavailable. Rethrows the app's own errors.
 *
 * @param detailOf builds the problem's detail from the failure
 * @throws {@link HttpProblem} 503 `ServiceUnavailable`
 */
export async function runOrUnavailable<T>(
  run: () => Promise<T>,
  detailOf: (why: string) => string,
  nextStep?: string,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof CmkError || error instanceof HttpProblem) throw error;
    const detail = detailOf(describeError(error));
    throw new HttpProblem('ServiceUnavailable', { detail, ...(nextStep ? { nextStep } : {}), cause: error });
  }
}

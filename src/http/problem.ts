import type { HttpResponseInit } from '@azure/functions';
import { z } from 'zod';
import { describe, describeFailure } from '../azure/failure.ts';
import { CmkError, SettingsError } from '../errors.ts';
import { REFUSALS, type Refusal, refusalOf } from '../refusals.ts';

/** Namespace of the `type` of every problem; the reason code follows. */
const PROBLEM_TYPE = 'urn:cmk-autopilot:problem:';

/** Body of an error answer. */
export const PROBLEM = z.looseObject({
  type: z.string().describe('URN that ends in the reason code.'),
  title: z.string().describe('What the reason code means; the same text each time.'),
  status: z.int().min(400).max(599),
  detail: z.string().describe('What happened this time.'),
  reason: z.string().describe('Reason code, the same as in logs and reports.'),
  nextStep: z.string().describe('What to do next, in one sentence.'),
  instance: z.string(),
  correlationId: z.string().describe('Finds this answer in the log.'),
});
export type ProblemDetails = z.output<typeof PROBLEM>;

/** Why one part of an answer is not there, while the others are: the same, without what names an answer. */
export const PART_PROBLEM = PROBLEM.omit({ instance: true, correlationId: true });

/** What a refusal says beyond the table of refusals. */
interface ProblemOptions extends ErrorOptions {
  /** What happened this time. */
  readonly detail?: string;
  readonly nextStep?: string;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly extensions?: Readonly<Record<string, unknown>>;
  /** For the log alone. */
  readonly logged?: Readonly<Record<string, unknown>>;
}

/** A refusal that is meant to be read by the caller: nothing in it may be secret. */
export class HttpProblem extends Error {
  readonly status: number;
  readonly reason: Refusal;
  readonly nextStep: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly extensions: Readonly<Record<string, unknown>>;
  readonly logged: Readonly<Record<string, unknown>>;

  constructor(reason: Refusal, options: ProblemOptions = {}) {
    const { sentence, nextStep, status = 500 } = refusalOf(reason) ?? REFUSALS.Unexpected;
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

/** Of the call that answers: its id, which the log has too, and where the errors go that no caller sees. */
export interface AnswerContext {
  readonly correlationId: string;
  readonly onUnexpected: (error: unknown) => void;
}

/** Turns any error into an answer. An unexpected one becomes a 500 that names the correlation id alone. */
export function problemResponse(error: unknown, context: AnswerContext): HttpResponseInit {
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

/** The same for one part of an answer. */
export function partProblem(error: unknown, context: AnswerContext): z.output<typeof PART_PROBLEM> {
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

/** The caller sees an error of the app's own if its reason has a status. Which settings are wrong, only the log says. */
function toProblem(error: unknown, { correlationId, onUnexpected }: AnswerContext): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (error instanceof CmkError && !(error instanceof SettingsError) && refusalOf(error.reason)?.status !== undefined) {
    const { reason, message: detail, nextStep } = error;
    return new HttpProblem(reason as Refusal, { detail, nextStep });
  }
  onUnexpected(error);
  return new HttpProblem('Unexpected', {
    detail: 'The call failed for a reason that is in the log.',
    nextStep: `Look in the log for ${correlationId}; the call can be repeated safely.`,
  });
}

/**
 * Runs what needs a service that may be out of reach. The app's own errors pass.
 *
 * @param detailOf makes the detail of the problem from the failure
 * @throws {@link HttpProblem} 503 `ServiceUnavailable`
 */
export async function orUnavailable<T>(
  run: () => Promise<T>,
  detailOf: (why: string) => string,
  nextStep?: string,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof CmkError || error instanceof HttpProblem) throw error;
    const detail = detailOf(describe(describeFailure(error)));
    throw new HttpProblem('ServiceUnavailable', { detail, ...(nextStep ? { nextStep } : {}), cause: error });
  }
}

import { z } from 'zod';
import { DeadlineError } from '../azure/deadline.ts';
import type { PartTaken } from '../azure/read-cache.ts';
import { type AnswerContext, HttpProblem, PART_PROBLEM, partProblem } from './problem.ts';

/** A part of an answer with its own age, required role and failure; other parts do not depend on it. */
export const partOf = <T extends z.ZodType>(value: T) =>
  z.object({
    readOn: z.iso.datetime().optional().describe('When `value` was read.'),
    value: value.optional(),
    problem: PART_PROBLEM.optional().describe(
      'Why the part is missing: the read failed, or the caller lacks the role.',
    ),
    reading: z
      .literal(true)
      .optional()
      .describe('The read is still in progress: repeat the call. A `value` in the same part is older.'),
  });

type PartView<V> = Readonly<z.output<ReturnType<typeof partOf<z.ZodType<V>>>>>;

/**
 * Builds the view of a part from a read or its failure. Never throws, so the other parts are shown.
 *
 * @param show builds the caller's view of the value
 */
export function partView<T, V>(taken: PartTaken<T>, show: (value: T) => V, telling: AnswerContext): PartView<V> {
  try {
    if ('error' in taken) throw taken.error;
    const reading = taken.reading ? ({ reading: true } as const) : {};
    return 'value' in taken ? { readOn: taken.readOn.toISOString(), value: show(taken.value), ...reading } : reading;
  } catch (error) {
    const nextStep = 'The app retries the read automatically; repeat the call.';
    const isLate = error instanceof DeadlineError;
    const problem = isLate ? new HttpProblem('ServiceUnavailable', { detail: error.message, nextStep }) : error;
    return { problem: partProblem(problem, telling) };
  }
}

/** A part without its varying fields: the time of the read and the text of a failure. */
export function partContent({ value, problem, reading }: PartView<unknown>): unknown {
  return problem ? [problem.status, problem.reason] : { value, reading };
}

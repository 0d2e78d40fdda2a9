import { z } from 'zod';
import { DeadlineError } from '../azure/deadline.ts';
import type { PartTaken } from '../azure/read-cache.ts';
import { type AnswerContext, HttpProblem, PART_PROBLEM, partProblem } from './problem.ts';

/** A part of an answer with an age, a right and a failure of its own: the others do without it. */
export const partOf = <T extends z.ZodType>(value: T) =>
  z.object({
    readOn: z.iso.datetime().optional().describe('When `value` was read.'),
    value: value.optional(),
    problem: PART_PROBLEM.optional().describe('Why it is not there: it could not be read, or the caller may not.'),
    reading: z
      .literal(true)
      .optional()
      .describe(
        'It is being read, and takes longer than this answer waits: ask again. A `value` beside it is of before.',
      ),
  });

/** A part as an answer has it. */
interface PartView<V> {
  readonly readOn?: string;
  readonly value?: V;
  readonly problem?: z.output<typeof PART_PROBLEM>;
  readonly reading?: true;
}

/** Words a part, whatever came of reading it. Never throws, so that other parts are shown. @param show what the caller may see */
export function partView<T, V>(taken: PartTaken<T>, show: (value: T) => V, telling: AnswerContext): PartView<V> {
  try {
    if ('error' in taken) throw taken.error;
    const reading = taken.reading ? ({ reading: true } as const) : {};
    return 'value' in taken ? { readOn: taken.readOn.toISOString(), value: show(taken.value), ...reading } : reading;
  } catch (error) {
    return { problem: { ...partProblem(inTime(error), telling) } };
  }
}

/** A part without what differs each time: when it was read, and how what failed is worded. */
export function partContent({ value, problem, reading }: PartView<unknown>): unknown {
  return problem ? [problem.status, problem.reason] : { value, reading };
}

function inTime(error: unknown): unknown {
  if (!(error instanceof DeadlineError)) return error;
  const nextStep = 'It is read again by itself; repeat the call.';
  return new HttpProblem('ServiceUnavailable', { detail: error.message, nextStep });
}

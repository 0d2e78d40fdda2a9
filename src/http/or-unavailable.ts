import { describe, describeFailure } from '../azure/failure.ts';
import { HttpProblem } from './problem.ts';

/**
 * Runs what needs a service that may be out of reach.
 *
 * @param told what the caller is told, given why
 * @throws {@link HttpProblem} 503 `ServiceUnavailable`
 */
export async function orUnavailable<T>(
  run: () => Promise<T>,
  told: (why: string) => string,
  nextStep: string,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const detail = told(describe(describeFailure(error)));
    throw new HttpProblem(503, 'ServiceUnavailable', detail, nextStep, { cause: error });
  }
}

import { describeAnswerOf, describeFailure, type Failure } from '../../azure/failure.ts';
import { CmkError } from '../../errors/errors.ts';
import type { Operation } from './operator-azure.ts';

/** Pauses between tries, in seconds; the last one repeats. */
const PAUSES = [2, 4, 8, 15];

interface Patience {
  /** Reason for the wait: `the role … to reach Key Vault`. */
  readonly waitingFor: string;
  /** Longest wait, in seconds. Zero tries once. */
  readonly seconds: number;
  /** Whether a failure may be temporary. */
  readonly mayPass: (failure: Failure) => boolean;
  /** Next step in the error after the deadline. */
  readonly nextStep: string;
}

/**
 * Retries until the deadline, and shows each wait: a new role assignment takes minutes to take effect (Azure RBAC,
 * "Troubleshoot": up to ten).
 *
 * @throws {@link CmkError} `NotPropagated` after the deadline; every permanent failure unchanged
 */
export async function retryPatiently<T>(
  { azure: { now, sleep }, journal }: Operation,
  { waitingFor, seconds, mayPass, nextStep }: Patience,
  attempt: () => Promise<T>,
): Promise<T> {
  const startedMs = now().getTime();
  for (let tries = 0; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      const failure = describeFailure(error);
      if (!mayPass(failure)) throw error;

      const what = failure.kind === 'throttled' ? 'Azure, which is throttling' : waitingFor;
      const waited = (now().getTime() - startedMs) / 1000;
      const pause = failure.retryAfterSeconds ?? PAUSES[Math.min(tries, PAUSES.length - 1)] ?? 15;
      if (waited + pause > seconds) {
        const message = `Waited ${Math.round(waited)} s for ${what}. Azure's last answer: ${describeAnswerOf(failure)}`;
        throw new CmkError('NotPropagated', message, nextStep, { cause: error });
      }

      journal.waiting(`for ${what}: ${Math.round(waited)} of at most ${seconds} s`);
      await sleep(pause * 1000);
    }
  }
}

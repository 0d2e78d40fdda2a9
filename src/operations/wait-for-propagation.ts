import { describe, describeFailure, type Failure } from '../azure/failure.ts';
import { CmkError } from '../errors.ts';
import type { Operation } from './operator-azure.ts';

/** Pauses between tries, in seconds; the last one repeats. */
const PAUSES = [2, 4, 8, 15];

interface Patience {
  /** What is waited for: `the role … to reach Key Vault`. */
  readonly waitingFor: string;
  /** How long at most, in seconds. Zero tries once. */
  readonly seconds: number;
  /** Which failures may pass by waiting. */
  readonly mayPass: (failure: Failure) => boolean;
  /** What to say when time is up. */
  readonly nextStep: string;
}

/**
 * Tries again and again, says so each time, and gives up when time is up: a role that was just given takes minutes to
 * count (Azure RBAC, "Troubleshoot": up to ten).
 *
 * @throws {@link CmkError} `NotPropagated` when time is up; every failure that waiting cannot cure as it is
 */
export async function patiently<T>(
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
        const message = `Waited ${Math.round(waited)} s for ${what}. Azure's last answer: ${describe(failure)}`;
        throw new CmkError('NotPropagated', message, nextStep, { cause: error });
      }
      journal.waiting(`for ${what}: ${Math.round(waited)} of at most ${seconds} s`);
      await sleep(pause * 1000);
    }
  }
}

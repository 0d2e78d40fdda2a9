import { describeError } from '../../../azure/failure.ts';
import { CmkError } from '../../../errors/errors.ts';
import type { Operation } from '../operator-azure.ts';

/** Pause between two reads of a proof, in milliseconds. */
const PAUSE_MS = 1_000;

/** One step of a drill: a change, and the proof of its effect. */
export interface DrillStep {
  readonly step: 'rotate' | 'revoke' | 'restore';
  readonly passed: boolean;
  /** Seconds from the start of the step until Key Vault confirmed the change; absent: it did not. */
  readonly changedAfter?: number | undefined;
  /** Seconds from the start of the step until the proof; absent: not proved. */
  readonly provenAfter?: number | undefined;
  /** The proof, or what failed. */
  readonly detail: string;
}

/** Times of a step. */
export interface StepClock {
  /** Starts the step anew: what came before was a wait for a person. */
  restart(): void;
  /** Key Vault confirmed the change. */
  changed(): void;
}

/**
 * Runs a step and measures it. Never throws: the steps after a failed step still have to restore the key.
 *
 * @param work makes the change, waits for its proof, and describes it
 */
export async function runStep(
  step: DrillStep['step'],
  { azure, journal }: Operation,
  work: (clock: StepClock) => Promise<string>,
): Promise<DrillStep> {
  let startedMs = azure.now().getTime();
  let changedAfter: number | undefined;
  const elapsed = () => (azure.now().getTime() - startedMs) / 1_000;
  const clock = {
    restart: () => {
      startedMs = azure.now().getTime();
    },
    changed: () => {
      changedAfter = elapsed();
    },
  };

  try {
    const detail = await work(clock);
    return { step, passed: true, changedAfter, provenAfter: elapsed(), detail };
  } catch (error) {
    const detail = error instanceof CmkError ? `${error.reason}: ${error.message}` : describeError(error);
    journal.note(`The step ${step} of the drill failed: ${detail}`);
    return { step, passed: false, changedAfter, detail };
  }
}

interface Proof {
  /** What is waited for: `the file service of stdrill01 to refuse`. */
  readonly waitingFor: string;
  /** Longest wait, in seconds. */
  readonly seconds: number;
  readonly signal?: AbortSignal;
}

/**
 * Reads until the proof is there.
 *
 * @param read returns the proof, or what it saw instead
 * @throws {@link CmkError} `DrillUnproven` after the deadline, with what it saw last; the signal's reason
 */
export async function awaitProof(
  { waitingFor, seconds, signal }: Proof,
  { azure, journal }: Operation,
  read: () => Promise<{ readonly proof: string } | { readonly seen: string }>,
): Promise<string> {
  const endMs = azure.now().getTime() + seconds * 1_000;
  for (;;) {
    signal?.throwIfAborted();
    const result = await read();
    if ('proof' in result) return result.proof;

    if (azure.now().getTime() + PAUSE_MS > endMs) {
      throw new CmkError(
        'DrillUnproven',
        `Waited ${seconds} s for ${waitingFor}. Last seen: ${result.seen}.`,
        'Find the cause before an incident: cmk now, and cmk account verify.',
      );
    }

    journal.waiting(`for ${waitingFor}: ${result.seen}`);
    await azure.sleep(PAUSE_MS);
  }
}

import { setTimeout as wait } from 'node:timers/promises';
import type { RequestFault } from '../faults.ts';

/** A request under a fault. `R` is the type of the answer. */
export interface Exchange<R> {
  /** Delay before every request. */
  readonly latencyMs?: number;
  /** Has the service process the request. */
  readonly takesEffect: () => Promise<R>;
  /** The fault's answer instead of the service's. */
  readonly ordered: (answer: NonNullable<RequestFault['answer']>) => R;
  readonly statusOf: (answer: R) => number;
  /** Closes the connection. */
  readonly cut: () => void;
  /** Writes the request log. Status 0: not answered. */
  readonly note: (status: number) => void;
}

/** Processes a request under a fault. Undefined if it gets no answer. */
export async function meetFault<R>(fault: RequestFault, exchange: Exchange<R>): Promise<R | undefined> {
  const { latencyMs = 0, takesEffect, ordered, statusOf, cut, note } = exchange;
  const end = (): undefined => {
    note(0);
    cut();
  };

  if (fault.hang) return note(0) as undefined;
  if (fault.reset) return end();

  if (fault.answer) {
    note(fault.answer.status);
    return ordered(fault.answer);
  }

  if (fault.resetThenMs !== undefined) end();

  const delay = latencyMs + (fault.delayMs ?? fault.resetThenMs ?? 0);
  if (delay > 0) await wait(delay);

  const answer = await takesEffect();

  if (fault.resetThenMs !== undefined) return undefined;
  if (fault.resetAfter) return end();

  note(statusOf(answer));

  if (fault.delayAfterMs) await wait(fault.delayAfterMs);

  return answer;
}

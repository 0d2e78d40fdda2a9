import { setTimeout as wait } from 'node:timers/promises';
import type { RequestFault } from '../faults.ts';

/** One request, as a fault meets it. `R` is what answers it. */
export interface Exchange<R> {
  /** Waited for before every request. */
  readonly latencyMs?: number;
  /** Has the service do it. */
  readonly takesEffect: () => Promise<R>;
  /** The answer in place of the service's. */
  readonly ordered: (answer: NonNullable<RequestFault['answer']>) => R;
  readonly statusOf: (answer: R) => number;
  /** Ends the connection. */
  readonly cut: () => void;
  /** Writes the request log; 0: not answered. */
  readonly note: (status: number) => void;
}

/** Lets a request take its course under a fault. Undefined: it is not answered. */
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

import { untilAborted } from '../../azure/deadline.ts';

/** A signal ended the command before it was done. */
export class Interruption extends Error {
  override readonly name = 'Interruption';
  /** As a shell reports it: 128 plus the number of the signal. */
  readonly exitCode: number;

  constructor(exitCode: number, effect = 'Completed steps stay done.') {
    super(`The command was ended. ${effect}`);
    this.exitCode = exitCode;
  }
}

/** Signals of Ctrl-C, of a pipeline that ends its job, and of a closed terminal. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Returns a signal that aborts with an {@link Interruption} when a signal asks this process to end. */
export function listenForInterruptions(): AbortSignal {
  const controller = new AbortController();
  // npm and a terminal may both send the signal: the second one has no effect.
  for (const [signal, exitCode] of Object.entries(SIGNALS)) {
    process.on(signal, () => controller.abort(new Interruption(exitCode)));
  }
  return controller.signal;
}

/** Waits for `work` until the signal aborts; then its outcome is ignored. */
export async function waitUnlessInterrupted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (await untilAborted(work, signal)) return work;
  throw signal?.reason;
}

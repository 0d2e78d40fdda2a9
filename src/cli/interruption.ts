/** A signal ended the command before it was done. */
export class Interruption extends Error {
  /** As a shell counts it: 128 and the number of the signal. */
  readonly exitCode: number;

  constructor(exitCode: number) {
    super('The command was interrupted.');
    this.name = 'Interruption';
    this.exitCode = exitCode;
  }
}

/** Ctrl-C, the end of a pipeline's job, and a terminal that is closed. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Aborts, with an {@link Interruption}, when this process is asked to end. */
export function interruptions(): AbortSignal {
  const controller = new AbortController();
  // npm and a terminal may both send it: the second one changes nothing.
  for (const [signal, exitCode] of Object.entries(SIGNALS)) {
    process.on(signal, () => controller.abort(new Interruption(exitCode)));
  }
  return controller.signal;
}

/** Waits for `work`, but not after the signal aborts: then its outcome is ignored. */
export async function unlessInterrupted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    const stop = (): void => reject(signal?.reason);
    if (signal?.aborted) stop();
    signal?.addEventListener('abort', stop);
  });
  return Promise.race([work, aborted]);
}

/** Arguments of all callers that a run serves. */
export type Callers<A> = readonly [A, ...A[]];

interface Run<A> {
  readonly callers: [A, ...A[]];
  isStarted: boolean;
  readonly result: Promise<unknown>;
}

/**
 * Runs the tasks of a name one after the other. Callers that arrive during a run share the next run, which gets the
 * arguments of all of them.
 */
export class SingleFlight<A> {
  /** By name: the last run. */
  readonly #runs = new Map<string, Run<A>>();

  /**
   * Waits for the end of a run that started after this call. Throws the error of that run.
   *
   * @param task not called if the run of another caller serves this one
   */
  async run(name: string, argument: A, task: (callers: Callers<A>) => Promise<void>): Promise<void> {
    const last = this.#runs.get(name);
    if (last && !last.isStarted) {
      last.callers.push(argument);
      await last.result;
      return;
    }

    const before = last?.result.catch(() => {});
    const callers: [A, ...A[]] = [argument];
    const start = async (): Promise<void> => {
      await before;
      own.isStarted = true;
      await task(callers);
    };

    const own: Run<A> = { callers, isStarted: false, result: Promise.resolve().then(start) };

    this.#runs.set(name, own);

    try {
      await own.result;
    } finally {
      if (this.#runs.get(name) === own) this.#runs.delete(name);
    }
  }
}

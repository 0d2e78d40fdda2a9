/** Arguments of all callers that a run serves. */
export type Callers<A> = readonly [A, ...A[]];

interface Run<A, R> {
  readonly callers: [A, ...A[]];
  isStarted: boolean;
  readonly result: Promise<R>;
}

/**
 * Runs the tasks of a name one after the other. Callers that arrive during a run share the next run, which gets the
 * arguments of all of them.
 */
export class SingleFlight<A, R> {
  /** By name: the last run. */
  readonly #runs = new Map<string, Run<A, R>>();

  /**
   * Waits for the end of a run that started after this call. Throws the error of that run.
   *
   * @param task not called if the run of another caller serves this one
   * @returns the task's result; undefined if the run of another caller serves this one
   */
  async run(name: string, argument: A, task: (callers: Callers<A>) => Promise<R>): Promise<R | undefined> {
    const last = this.#runs.get(name);
    if (last && !last.isStarted) {
      last.callers.push(argument);
      await last.result;
      return undefined;
    }

    const before = last?.result.catch(() => {});
    const callers: [A, ...A[]] = [argument];
    const start = async (): Promise<R> => {
      await before;
      own.isStarted = true;
      return task(callers);
    };

    const own: Run<A, R> = { callers, isStarted: false, result: Promise.resolve().then(start) };

    this.#runs.set(name, own);

    try {
      return await own.result;
    } finally {
      if (this.#runs.get(name) === own) this.#runs.delete(name);
    }
  }
}

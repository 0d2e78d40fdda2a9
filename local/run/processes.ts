import { Child, type ChildOptions } from './child-process.ts';

export interface LaunchOptions extends ChildOptions {
  /** Whether its end is no failure of the run. */
  readonly mayEnd?: boolean;
  /** Whether it stops before the others, because it needs them. */
  readonly stopFirst?: boolean;
}

/** The processes of one run: if one fails, the run fails. */
export class Processes {
  readonly #first = new Set<Child>();
  readonly #others = new Set<Child>();
  /** Rejects if a process ends unexpectedly. */
  readonly failed: Promise<never>;
  #fail: (error: Error) => void = () => undefined;
  #stopped = false;

  constructor() {
    this.failed = new Promise<never>((_, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => undefined); // the run awaits it separately
  }

  /** @throws if the run is being stopped */
  launch(options: LaunchOptions): Child {
    if (this.#stopped) throw new Error(`${options.name} is not started: the run is being stopped.`);
    const child = new Child(options);
    const group = options.stopFirst || options.mayEnd ? this.#first : this.#others;
    group.add(child);
    child.ended.then(() => {
      group.delete(child);
      if (!child.stopping && !options.mayEnd) this.#fail(child.failure());
    });
    return child;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const group of [this.#first, this.#others]) await Promise.all([...group].map((child) => child.stop()));
  }
}

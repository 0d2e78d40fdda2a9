/** One change: a text for people, and fields for scripts. */
export interface Change {
  /** The completed change: `key files-key created (RSA 2048)`. */
  readonly text: string;
  /** `<subject>.<verb>`, as in the audit trail. */
  readonly action: string;
  /** ARM id, or the identifier of a key or version. */
  readonly resource: string;
  /** Old and new value, if the change has a single value, such as a key or an expiry. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** One line of an operation's output. */
export interface Entry extends Partial<Omit<Change, 'text'>> {
  /**
   * `found`: existing state. `done`: changed. `planned`: would be changed, in a dry run. `waiting`: work in progress.
   * `note`: a warning or next step.
   */
  readonly kind: 'found' | 'done' | 'planned' | 'waiting' | 'note';
  readonly text: string;
  /** Progress of `waiting`, if the work can be counted. */
  readonly progress?: WorkProgress | undefined;
}

export interface WorkProgress {
  readonly done: number;
  readonly total: number;
}

/** Report of an operation: every entry except `waiting`, which is shown only while it lasts. */
export interface Report<R> {
  readonly operation: string;
  readonly dryRun: boolean;
  /** Whether the operation changed anything (or would, in a dry run). */
  readonly changed: boolean;
  readonly entries: readonly Entry[];
  readonly result: R;
}

/** Collects the entries of an operation and runs each change. In a dry run it only plans changes. */
export class Journal {
  readonly dryRun: boolean;
  readonly entries: Entry[] = [];
  /** Called immediately after each change of {@link change}, because the process may be killed later. */
  readonly record: (change: Change) => void;
  /** Text of the change in progress. */
  underWay: string | undefined;
  readonly #show: (entry: Entry) => void;

  /** @param options.show called immediately with each entry */
  constructor({
    dryRun = false,
    show = () => {},
    record = () => {},
  }: { dryRun?: boolean; show?: (entry: Entry) => void; record?: (change: Change) => void } = {}) {
    this.dryRun = dryRun;
    this.record = record;
    this.#show = show;
  }

  found(text: string): void {
    this.#add({ kind: 'found', text });
  }

  note(text: string): void {
    this.#add({ kind: 'note', text });
  }

  waiting(text: string, progress?: WorkProgress): void {
    this.#show({ kind: 'waiting', text, progress });
  }

  /** Adds a change that a use case has already made. */
  done(change: Change): void {
    this.#add({ kind: 'done', ...change });
  }

  /** Adds a change that only a real run would make. */
  planned(change: Change): void {
    this.#add({ kind: 'planned', ...change });
  }

  /**
   * Makes a change, unless this is a dry run.
   *
   * @param outcome details of the change that only the answer contains
   * @returns undefined in a dry run
   */
  async change<T>(
    change: Change,
    run: () => Promise<T>,
    outcome: (result: T) => Partial<Change> = () => ({}),
  ): Promise<T | undefined> {
    if (this.dryRun) {
      this.#add({ kind: 'planned', ...change });
      return undefined;
    }

    this.waiting(change.text);
    this.underWay = change.text;

    const result = await run().finally(() => {
      this.underWay = undefined;
    });
    const done = { ...change, ...outcome(result) };

    this.#add({ kind: 'done', ...done });
    this.record(done);

    return result;
  }

  /** Adds the entries of a part that has shown its own. */
  take({ entries }: Journal): void {
    this.entries.push(...entries);
  }

  get changed(): boolean {
    return this.entries.some(({ kind }) => kind === 'done' || kind === 'planned');
  }

  report<R>(operation: string, result: R): Report<R> {
    return { operation, dryRun: this.dryRun, changed: this.changed, entries: this.entries, result };
  }

  #add(entry: Entry): void {
    this.entries.push(entry);
    this.#show(entry);
  }
}

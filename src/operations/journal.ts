/** One change, for people and for scripts. */
export interface Change {
  /** What it is once it is done: `key files-key created (RSA 2048)`. */
  readonly text: string;
  /** `<subject>.<verb>`, as in the audit trail. */
  readonly action: string;
  /** ARM id, or the identifier of a key or version. */
  readonly resource: string;
  /** As it was, and as it is to be, where that is one thing: a key, an expiry. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** One line of what an operation found and did. */
export interface Entry extends Partial<Omit<Change, 'text'>> {
  /**
   * `found`: as it was. `done`: changed. `planned`: would be changed, in a dry run. `waiting`: for something that takes
   * time. `note`: what to know or to do next.
   */
  readonly kind: 'found' | 'done' | 'planned' | 'waiting' | 'note';
  readonly text: string;
  /** Of `waiting`: how far it is, where that can be counted. */
  readonly progress?: Progress | undefined;
}

export interface Progress {
  readonly done: number;
  readonly total: number;
}

/** What an operation leaves behind: every entry but those of waiting, which are for the moment. */
export interface Report<R> {
  readonly operation: string;
  readonly dryRun: boolean;
  /** Whether anything was changed (or, in a dry run, would be). */
  readonly changed: boolean;
  readonly entries: readonly Entry[];
  readonly result: R;
}

interface JournalOptions {
  readonly dryRun: boolean;
  readonly show: (entry: Entry) => void;
  readonly record: (change: Change) => void;
}

/** Keeps what an operation found and did, and stands between it and every change: a dry run makes none. */
export class Journal {
  readonly dryRun: boolean;
  readonly entries: Entry[] = [];
  /** Called with each change made through {@link change}, at once: the process may be killed after it. */
  readonly record: (change: Change) => void;
  /** The change that is being made. */
  underWay: string | undefined;
  readonly #show: (entry: Entry) => void;

  /** @param options.show called with each entry as it happens */
  constructor({ dryRun = false, show = () => {}, record = () => {} }: Partial<JournalOptions> = {}) {
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

  waiting(text: string, progress?: Progress): void {
    this.#show({ kind: 'waiting', text, progress });
  }

  /** Something that a use-case has changed by itself. */
  done(change: Change): void {
    this.#add({ kind: 'done', ...change });
  }

  /** Something that would be changed were this no dry run. */
  planned(change: Change): void {
    this.#add({ kind: 'planned', ...change });
  }

  /**
   * Makes a change, unless this is a dry run.
   *
   * @param outcome what only the answer says of it
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

  /** What one of several parts has found and changed, which was shown already or need not be. */
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

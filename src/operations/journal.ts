/** One line of what an operation found and did. */
export interface Entry {
  /**
   * `found`: as it was. `done`: changed. `planned`: would be changed, in a dry run. `waiting`: for something that takes
   * time. `note`: what to know or to do next.
   */
  readonly kind: 'found' | 'done' | 'planned' | 'waiting' | 'note';
  readonly text: string;
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

/** Keeps what an operation found and did, and stands between it and every change: a dry run makes none. */
export class Journal {
  readonly dryRun: boolean;
  readonly entries: Entry[] = [];
  #underWay: string | undefined;
  readonly #show: (entry: Entry) => void;

  /** @param show called with each entry as it happens */
  constructor(options: { readonly dryRun?: boolean; readonly show?: (entry: Entry) => void } = {}) {
    this.dryRun = options.dryRun ?? false;
    this.#show = options.show ?? (() => {});
  }

  found(text: string): void {
    this.#add({ kind: 'found', text });
  }

  note(text: string): void {
    this.#add({ kind: 'note', text });
  }

  waiting(text: string): void {
    this.#show({ kind: 'waiting', text });
  }

  /** Something that a use-case has changed by itself. */
  done(text: string): void {
    this.#add({ kind: 'done', text });
  }

  /** Something that would be changed were this no dry run. */
  planned(text: string): void {
    this.#add({ kind: 'planned', text });
  }

  /**
   * Makes a change, unless this is a dry run.
   *
   * @param text what it is once it is done: `key files-key created (RSA 2048)`
   * @returns undefined in a dry run
   */
  async change<T>(text: string, run: () => Promise<T>): Promise<T | undefined> {
    if (this.dryRun) {
      this.#add({ kind: 'planned', text });
      return undefined;
    }
    this.waiting(text);
    this.#underWay = text;
    const result = await run().finally(() => {
      this.#underWay = undefined;
    });
    this.#add({ kind: 'done', text });
    return result;
  }

  /** The change that is being made, if any. */
  get underWay(): string | undefined {
    return this.#underWay;
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

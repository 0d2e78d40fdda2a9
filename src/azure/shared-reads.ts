/**
 * Lets those who want to read the same thing at the same time share one request. Nobody is given an answer to a question
 * that was asked before their own: who comes while a read is under way gets the next one, together with all others that
 * have come by then. So what is decided from a read is decided from the state after the decision was due.
 */
export class SharedReads<T> {
  readonly #underWay = new Map<string, Promise<T>>();
  readonly #next = new Map<string, Promise<T>>();
  readonly #began = new Map<string, number>();
  readonly #apartMs: number;
  readonly #sleep: (ms: number) => Promise<void>;

  /** @param apartMs the least time between the beginnings of two reads of one thing, in milliseconds */
  constructor(apartMs = 0, sleep: (ms: number) => Promise<void> = async () => {}) {
    this.#apartMs = apartMs;
    this.#sleep = sleep;
  }

  /** @param name what is read; `read` of whoever is first counts for all who share */
  read(name: string, read: () => Promise<T>): Promise<T> {
    const next = this.#next.get(name);
    if (next) return next;
    const underWay = this.#underWay.get(name);
    const early = (): number => Math.max(0, (this.#began.get(name) ?? 0) + this.#apartMs - performance.now());
    if (!underWay && early() === 0) return this.#start(name, read);
    const later = async (): Promise<T> => {
      if (early() > 0) await this.#sleep(early());
      this.#next.delete(name);
      return this.#start(name, read);
    };
    const following = (underWay ?? Promise.resolve()).then(later, later);
    this.#next.set(name, following);
    return following;
  }

  #start(name: string, read: () => Promise<T>): Promise<T> {
    const done = (): void => {
      this.#underWay.delete(name);
    };
    if (this.#apartMs > 0) this.#began.set(name, performance.now());
    const reading = read();
    // Before anybody else hears of the end: who reads again then starts anew.
    const started = reading.then(
      (value) => {
        done();
        return value;
      },
      (error: unknown) => {
        done();
        throw error;
      },
    );
    this.#underWay.set(name, started);
    return started;
  }
}

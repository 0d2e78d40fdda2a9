/** A clock that can be moved forward, and the timers that follow it. Time zero is the real time at which it was made. */
export class Clock {
  #offsetMs = 0;
  #nextId = 1;
  readonly #followers: ((offsetMs: number) => Promise<void>)[] = [];
  readonly #timers = new Map<number, { at: number; run: () => void; real: NodeJS.Timeout }>();

  /** How far it is ahead of real time. */
  get offsetMs(): number {
    return this.#offsetMs;
  }

  /** The present, in milliseconds since the epoch. */
  nowMs(): number {
    return Date.now() + this.#offsetMs;
  }

  now(): Date {
    return new Date(this.nowMs());
  }

  /** Whole seconds since the epoch, as Key Vault and Entra ID write times. */
  nowSeconds(): number {
    return Math.floor(this.nowMs() / 1000);
  }

  /** Runs `run` once the clock has reached `atMs`, whether by waiting or by {@link advance}. Returns how to cancel it. */
  schedule(atMs: number, run: () => void): () => void {
    const id = this.#nextId;
    this.#nextId += 1;
    this.#timers.set(id, { at: atMs, run, real: this.#arm(id, atMs) });
    return () => this.#drop(id);
  }

  /** Resolves when `ms` have passed on this clock. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.schedule(this.nowMs() + ms, resolve);
    });
  }

  /** Has others go by this clock: they are told how far it is from real time, before what is due then happens. */
  follow(follower: (offsetMs: number) => Promise<void>): void {
    this.#followers.push(follower);
  }

  get isFollowed(): boolean {
    return this.#followers.length > 0;
  }

  /**
   * Moves the clock forward, waits for its followers, and then fires what is due, earliest first: before it returns, if
   * there are no followers, since many callers do not wait.
   */
  async advance(ms: number): Promise<void> {
    if (!(ms >= 0)) throw new RangeError('The clock only moves forward.');
    this.#offsetMs += ms;
    // An event must not reach the app before its clock has moved: the app would not find the key near its expiry.
    if (this.isFollowed) await Promise.all(this.#followers.map((follower) => follower(this.#offsetMs)));
    this.#fireDue();
  }

  #fireDue(): void {
    const due = [...this.#timers].filter(([, timer]) => timer.at <= this.nowMs()).sort(([, a], [, b]) => a.at - b.at);
    for (const [id, timer] of due) {
      if (!this.#drop(id)) continue; // cancelled by one that ran before it
      timer.run();
    }
    for (const [id, timer] of this.#timers) {
      clearTimeout(timer.real);
      timer.real = this.#arm(id, timer.at);
    }
  }

  /** Cancels every timer. */
  stop(): void {
    for (const id of [...this.#timers.keys()]) this.#drop(id);
  }

  #arm(id: number, atMs: number): NodeJS.Timeout {
    // setTimeout overflows past 2^31-1 ms; a timer further away is armed again when that time has passed.
    const delay = Math.min(Math.max(atMs - this.nowMs(), 0), 2 ** 31 - 1);
    const real = setTimeout(() => {
      const timer = this.#timers.get(id);
      if (!timer) return;
      if (timer.at > this.nowMs()) timer.real = this.#arm(id, timer.at);
      else if (this.#drop(id)) timer.run();
    }, delay);

    real.unref();

    return real;
  }

  #drop(id: number): boolean {
    const timer = this.#timers.get(id);
    if (!timer) return false;
    clearTimeout(timer.real);
    return this.#timers.delete(id);
  }
}

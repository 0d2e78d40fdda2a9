/** A clock that can be moved forward, with timers that follow it. It starts at real time. */
export class Clock {
  #offsetMs = 0;
  #nextId = 1;
  readonly #followers: ((offsetMs: number) => Promise<void>)[] = [];
  readonly #timers = new Map<number, { at: number; run: () => void; real: NodeJS.Timeout }>();

  /** How far the clock is ahead of real time. */
  get offsetMs(): number {
    return this.#offsetMs;
  }

  /** Milliseconds since the epoch. */
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

  /**
   * Runs `run` once the clock reaches `atMs`, by real time or by {@link advance}. Returns a function that cancels it.
   */
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

  /** Adds a follower: {@link advance} tells it the offset from real time before it fires timers. */
  follow(follower: (offsetMs: number) => Promise<void>): void {
    this.#followers.push(follower);
  }

  get isFollowed(): boolean {
    return this.#followers.length > 0;
  }

  /**
   * Moves the clock forward, waits for its followers, then fires the timers that are due, earliest first. Without
   * followers it fires before it returns, since many callers do not wait.
   */
  async advance(ms: number): Promise<void> {
    if (!(ms >= 0)) throw new RangeError('The clock only moves forward.');
    this.#offsetMs += ms;
    // The app's clock has to move before it gets an event, or it would not find the key near its expiry.
    if (this.isFollowed) await Promise.all(this.#followers.map((follower) => follower(this.#offsetMs)));
    this.#fireDue();
  }

  #fireDue(): void {
    const due = [...this.#timers].filter(([, timer]) => timer.at <= this.nowMs()).sort(([, a], [, b]) => a.at - b.at);
    for (const [id, timer] of due) {
      if (!this.#drop(id)) continue; // a timer that ran before cancelled it
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
    // setTimeout overflows past 2^31-1 ms: arm a timer further away again after that time.
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

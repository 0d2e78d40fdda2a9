/** Resolution of `Date` headers, in milliseconds. */
const HEADER_MS = 1_000;

/**
 * Clock of the app's storage account, from the `Date` headers of its answers, so instances with skewed clocks agree on
 * due times. Until the first answer it uses this machine's time.
 */
export class StorageClock {
  #offsetMs = 0;

  readonly now = (): Date => new Date(Date.now() + this.#offsetMs);

  /**
   * Adjusts the offset by an answer, and only if the answer proves the offset wrong.
   *
   * @param date the `Date` header
   * @param askedMs time when the request was sent, by this machine's clock
   */
  learn(date: string | undefined, askedMs: number): void {
    const serverMs = Date.parse(date ?? '');
    if (Number.isNaN(serverMs)) return;
    const least = serverMs - Date.now();
    const most = serverMs + HEADER_MS - askedMs;
    this.#offsetMs = Math.min(Math.max(this.#offsetMs, least), most);
  }
}

/** The clock of this process, which has a single storage account. */
export const storageClock = new StorageClock();

/** `Date` headers have whole seconds. Milliseconds. */
const HEADER_MS = 1_000;

/**
 * The time of the app's storage account, as its answers tell it, so that instances whose clocks differ agree on what is due.
 * Until the first answer it is this machine's.
 */
export class StorageClock {
  #offsetMs = 0;

  readonly now = (): Date => new Date(Date.now() + this.#offsetMs);

  /**
   * Learns from an answer; the clock is moved no further than the answer shows it to be wrong.
   *
   * @param date the `Date` header
   * @param askedMs when the request was sent, by this machine's clock
   */
  learn(date: string | undefined, askedMs: number): void {
    const told = Date.parse(date ?? '');
    if (Number.isNaN(told)) return;
    const [least, most] = [told - Date.now(), told + HEADER_MS - askedMs];
    this.#offsetMs = Math.min(Math.max(this.#offsetMs, least), most);
  }
}

/** One for each process, as there is one storage account. */
export const storageClock = new StorageClock();

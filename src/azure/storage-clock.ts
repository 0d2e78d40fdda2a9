/** `Date` headers have whole seconds. Milliseconds. */
const HEADER_MS = 1_000;

/**
 * The time of the app's storage account, by the `Date` headers of its answers, so that instances with skewed clocks agree on
 * what is due. Until the first answer it is this machine's time.
 */
export class StorageClock {
  #offsetMs = 0;

  readonly now = (): Date => new Date(Date.now() + this.#offsetMs);

  /**
   * Adjusts the offset by an answer, only as far as the answer proves it wrong.
   *
   * @param date the `Date` header
   * @param askedMs when the request was sent, by this machine's clock
   */
  learn(date: string | undefined, askedMs: number): void {
    const serverMs = Date.parse(date ?? '');
    if (Number.isNaN(serverMs)) return;
    const [least, most] = [serverMs - Date.now(), serverMs + HEADER_MS - askedMs];
    this.#offsetMs = Math.min(Math.max(this.#offsetMs, least), most);
  }
}

/** One for each process, as there is one storage account. */
export const storageClock = new StorageClock();

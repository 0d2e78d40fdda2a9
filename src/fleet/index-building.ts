/**
 * Lets one look at a time complete the index, in this instance: the others use what it has found. Without it, twenty keys
 * that rotate at once would list every subscription twenty times.
 */
export class IndexBuilding {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  readonly #listed = new Map<string, Date>();

  /** @param work is told whether somebody else was at it before */
  async inTurn<T>(work: (waited: boolean) => Promise<T>): Promise<T> {
    const waited = this.#waiting > 0;
    this.#waiting += 1;
    const turn = this.#last.then(() => work(waited));
    this.#last = turn
      .catch(() => {})
      .then(() => {
        this.#waiting -= 1;
      });
    return turn;
  }

  /** Notes that a list of a subscription that began then is written down, whole. */
  noteListed(subscription: string, on: Date): void {
    this.#listed.set(subscription, on);
  }

  /** The subscriptions of which no list is noted that began later than that. */
  unlistedSince(subscriptions: readonly string[], since: Date): readonly string[] {
    return subscriptions.filter((id) => !((this.#listed.get(id)?.getTime() ?? 0) > since.getTime()));
  }
}

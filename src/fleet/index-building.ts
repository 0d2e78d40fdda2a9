/**
 * Lets one look at a time complete the index, in this instance: the others use what it has found. Without it, twenty keys
 * that rotate at once would list every subscription twenty times.
 */
export class IndexBuilding {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

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
}

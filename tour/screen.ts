/** Where the tour shows what it does: lines, and in a terminal one line below them that changes in place. */
export class Screen {
  readonly #out: NodeJS.WriteStream;
  #live = '';

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  line(text: string): void {
    this.#clear();
    this.#out.write(`${text}\n`);
    this.#draw();
  }

  /** Shows progress, in a terminal only: in a pipe the lines alone tell. */
  progress(text: string): void {
    this.#clear();
    this.#live = text;
    this.#draw();
  }

  #clear(): void {
    if (this.#out.isTTY && this.#live) this.#out.write('\r\u001b[2K');
  }

  #draw(): void {
    if (this.#out.isTTY && this.#live) {
      this.#out.write(`\u001b[2m${this.#live.slice(0, this.#out.columns - 1)}\u001b[0m`);
    }
  }
}

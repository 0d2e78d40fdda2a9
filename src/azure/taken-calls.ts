/** How many calls were taken in each part of time, in whichever order. */
export class TakenCalls {
  readonly #partMs: number;
  /** With those of each single time, so that who gives something back takes nothing of what others have. */
  readonly #parts = new Map<number, { all: number; readonly at: Map<number, number> }>();

  /** @param partMs how long a part is, in milliseconds */
  constructor(partMs: number) {
    this.#partMs = partMs;
  }

  part(atMs: number): number {
    return Math.floor(atMs / this.#partMs);
  }

  in(part: number): number {
    return this.#parts.get(part)?.all ?? 0;
  }

  take(atMs: number, calls: number): void {
    const taken = this.#parts.get(this.part(atMs)) ?? { all: 0, at: new Map<number, number>() };
    this.#parts.set(this.part(atMs), taken);
    taken.all += calls;
    taken.at.set(atMs, (taken.at.get(atMs) ?? 0) + calls);
  }

  /** Takes out what was taken for that very time. Where it was not, or is forgotten, there is nothing to give back. */
  giveBack(atMs: number, calls: number): void {
    const taken = this.#parts.get(this.part(atMs));
    const there = taken?.at.get(atMs) ?? 0;
    if (!taken || there < calls) return;
    taken.all -= calls;
    if (there > calls) taken.at.set(atMs, there - calls);
    else taken.at.delete(atMs);
    if (taken.all === 0) this.#parts.delete(this.part(atMs));
  }

  /** Forgets the parts before that one. */
  forget(before: number): void {
    for (const part of this.#parts.keys()) if (part < before) this.#parts.delete(part);
  }
}

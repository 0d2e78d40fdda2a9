import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';

/** Asynchronous operations that clients poll. */
export class Operations {
  readonly #clock: Clock;
  readonly #pending = new Map<string, { readyMs: number; result: () => unknown }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Registers an operation that ends after `durationMs` on the clock. Returns its id. */
  start(durationMs: number, result: () => unknown = () => undefined): string {
    const id = randomUUID();
    this.#pending.set(id, { readyMs: this.#clock.nowMs() + durationMs, result });
    if (this.#pending.size > 50_000) this.#pending.delete(this.#pending.keys().next().value ?? '');
    return id;
  }

  /** Undefined if there is no such operation. */
  poll(id: string): { done: boolean; result: unknown } | undefined {
    const operation = this.#pending.get(id.toLowerCase());
    if (!operation) return undefined;
    const done = operation.readyMs <= this.#clock.nowMs();
    return { done, result: done ? operation.result() : undefined };
  }
}

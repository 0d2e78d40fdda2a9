import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';

/** A rejected call as it is logged; further fields are written as they are. */
export interface RefusedCall {
  /** Name of the function. */
  readonly call: string;
  /** Reason code. */
  readonly because: string;
  readonly status: number;
  /** Object id; undefined without a valid token. */
  readonly caller?: unknown;
  readonly kind?: unknown;
  readonly client?: unknown;
  readonly message: string;
  readonly [field: string]: unknown;
}

/** Refusals of one caller, call and reason that have a line of their own, per minute. */
export const RECORDED_A_MINUTE = 10;
const MINUTE_MS = 60_000;

/**
 * Logs rejected calls one by one, and samples a flood: the first of a minute have a line each (`CallRefused`), one line at
 * the end of the minute counts the rest (`CallsRefused`). Calls without a valid token are one group for each call and reason.
 */
export class RefusalLog {
  readonly #log: Log;
  #groups = new Map<string, { readonly about: Readonly<Record<string, unknown>>; calls: number }>();
  #timer: NodeJS.Timeout | undefined;

  /** @param log for the counts, which are written after their calls have ended */
  constructor(log: Log) {
    this.#log = log;
  }

  /** @param log of the call itself */
  record(refusal: RefusedCall, log: Log): void {
    const { call, because, status, caller, kind, client } = refusal;
    // Failures after authentication are all logged: each may have begun a change, and the caller's limits bound their number.
    const isSampled = status < 500 || caller === undefined;
    if (isSampled && this.#count([caller, call, because], { call, because, status, caller, kind, client }) > 0) return;
    log({ level: status < 500 ? 'warning' : 'error', reason: 'CallRefused', ...refusal });
  }

  /** Writes what was counted until now, and begins a new minute. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const groups = this.#groups;
    this.#groups = new Map();
    for (const { about, calls: all } of groups.values()) {
      const calls = all - RECORDED_A_MINUTE;
      if (calls > 0) {
        this.#log({ level: 'warning', reason: 'CallsRefused', message: REASONS.CallsRefused, ...about, calls });
      }
    }
  }

  /** @returns how many of the group are beyond those that have a line */
  #count(of: readonly unknown[], about: Readonly<Record<string, unknown>>): number {
    this.#timer ??= setTimeout(() => this.flush(), MINUTE_MS).unref();
    const name = JSON.stringify(of);
    const group = this.#groups.get(name) ?? { about, calls: 0 };
    this.#groups.set(name, group);
    group.calls += 1;
    return group.calls - RECORDED_A_MINUTE;
  }
}

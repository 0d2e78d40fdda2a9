import type { Log } from '../errors/log.ts';
import { REASONS } from '../errors/reasons.ts';
import { MINUTE_MS } from '../formats/spans.ts';

/** Log fields of a rejected call; without a valid token it has no `caller`. */
export interface RefusedCall {
  /** Name of the function. */
  readonly call: string;
  /** Reason code. */
  readonly because: string;
  readonly status: number;
  readonly message: string;
  readonly [field: string]: unknown;
}

/** Rejections of the same caller, call and reason that get their own log line, per minute. */
export const RECORDED_A_MINUTE = 10;

/**
 * Logs rejected calls and samples a flood. The first rejections of a minute have a line each (`CallRefused`). A line at
 * the end of the minute counts the rest (`CallsRefused`). Calls without a valid token form a group for each call and
 * reason.
 */
export class RefusalLog {
  readonly #log: Log;
  #groups = new Map<string, { readonly about: Readonly<Record<string, unknown>>; calls: number }>();
  #timer: NodeJS.Timeout | undefined;

  /** @param log for the counts, which are logged after their calls ended */
  constructor(log: Log) {
    this.#log = log;
  }

  /** @param log log of the call */
  record(refusal: RefusedCall, log: Log): void {
    const { call, because, status, caller, kind, client } = refusal;
    // Every failure after authentication is logged: the call may have started a change, and the caller's limits bound
    // the number.
    const isSampled = status < 500 || caller === undefined;
    if (isSampled && this.#count([caller, call, because], { call, because, status, caller, kind, client }) > 0) return;
    log({ level: status < 500 ? 'warning' : 'error', reason: 'CallRefused', ...refusal });
  }

  /** Logs the counts and starts a new minute. */
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

  /** @returns number of rejections of the group beyond the individually logged ones */
  #count(of: readonly unknown[], about: Readonly<Record<string, unknown>>): number {
    this.#timer ??= setTimeout(() => this.flush(), MINUTE_MS).unref();
    const name = JSON.stringify(of);
    const group = this.#groups.get(name) ?? { about, calls: 0 };
    this.#groups.set(name, group);
    group.calls += 1;
    return group.calls - RECORDED_A_MINUTE;
  }
}

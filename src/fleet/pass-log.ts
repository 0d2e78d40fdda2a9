import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { HOUR_MS } from '../time/spans.ts';
import type { Cause } from '../work/messages.ts';
import { levelOf } from './plan.ts';
import { type Move, QUICK_TRIES, type UseResult } from './reconcile-use.ts';
import type { UseRow } from './use-row.ts';
import type { Postponement, WorkItem } from './work-items.ts';

/** Reasons for which an item may wait for hours without an error. */
const QUIET: ReadonlySet<Reason> = new Set(['Paused', 'Busy', 'ScopesNotListed']);

export class PassLog {
  readonly #subscription: string;
  readonly #log: Log;
  readonly #now: () => Date;
  readonly #startedMs: number;
  readonly #blocked = new Map<string, { readonly key: string; readonly reason: Reason; uses: number }>();
  #uses = 0;
  #requests = 0;

  constructor(subscription: string, { log, now }: { readonly log: Log; readonly now: () => Date }) {
    this.#subscription = subscription;
    this.#log = log;
    this.#now = now;
    this.#startedMs = now().getTime();
  }

  requests(count: number): void {
    this.#requests += count;
  }

  /** Logs the result of a use if it differs from the last result. @param before the use's previous row */
  result(before: UseRow, { row, changed, blocked, detail }: UseResult, key: ManagedKey, cause: Cause): void {
    this.#uses += 1;
    const { account, scope } = before;
    const about = { key: key.id, account, scope, cause };
    if (changed)
      this.#log({ level: 'info', reason: 'ChangedByOthers', message: REASONS.ChangedByOthers, ...about, ...changed });
    if (blocked) this.#block(key, blocked.reason);
    if (!row?.reason || (row.state !== 'failed' && row.state !== 'indeterminate')) return;
    const message = [REASONS[row.reason], detail].filter(Boolean).join(' ');
    if (row.reason !== before.reason) this.#log({ level: 'warning', reason: row.reason, message, ...about });
    if (row.attempts !== QUICK_TRIES || before.attempts === QUICK_TRIES) return;
    const failed = `${REASONS.UseFailed} ${message}`;
    this.#log({ level: 'error', reason: 'UseFailed', message: failed, because: row.reason, ...about });
  }

  #block(key: ManagedKey, reason: Reason): void {
    const known = this.#blocked.get(`${key.id} ${reason}`) ?? { key: key.id, reason, uses: 0 };
    this.#blocked.set(`${key.id} ${reason}`, known);
    known.uses += 1;
  }

  moved({ id: _, reason, ...move }: Move, cause: Cause): void {
    const seconds = cause.since === '' ? undefined : (this.#now().getTime() - Date.parse(cause.since)) / 1000;
    this.#log({ level: 'info', reason, message: REASONS[reason], ...move, cause, seconds });
  }

  /** Logs an item that is older than an hour. */
  postponed({ kind, about, since }: WorkItem, { due, reason }: Postponement): void {
    if (!reason || QUIET.has(reason) || this.#now().getTime() - since.getTime() < HOUR_MS) return;
    const message = `${REASONS.DeferredForLong} ${kind} since ${since.toISOString()} (${reason}).`;
    const when = { deferredSince: since.toISOString(), due: due.toISOString() };
    const of = { subscription: this.#subscription, kind, about };
    this.#log({ level: 'error', reason: 'DeferredForLong', message, because: reason, ...of, ...when });
  }

  region(region: string, reason: 'RegionClosed' | 'RegionOpened' | 'Throttled', seconds?: number): void {
    const level = reason === 'RegionOpened' ? 'info' : 'warning';
    this.#log({ level, reason, message: REASONS[reason], subscription: this.#subscription, region, seconds });
  }

  /** @param nextDue earliest due time of the remaining items */
  end(moved: number, nextDue: Date | undefined): void {
    for (const { key, reason, uses } of this.#blocked.values()) {
      const about = { key, subscription: this.#subscription, uses };
      this.#log({ level: levelOf(reason), reason, message: REASONS[reason], ...about });
    }
    const seconds = (this.#now().getTime() - this.#startedMs) / 1000;
    const counts = { uses: this.#uses, moved, requests: this.#requests, seconds };
    const next = nextDue ? { nextDue: nextDue.toISOString() } : {};
    const message = `${REASONS.PassDone} ${this.#uses} uses, ${moved} moved, ${this.#requests} requests.`;
    this.#log({ level: 'info', reason: 'PassDone', message, subscription: this.#subscription, ...counts, ...next });
  }
}

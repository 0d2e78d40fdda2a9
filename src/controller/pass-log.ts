import { describeError } from '../azure/failure.ts';
import type { Log } from '../errors/log.ts';
import { REASONS, type Reason } from '../errors/reasons.ts';
import { HOUR_MS } from '../formats/spans.ts';
import type { UseRow } from '../index/use-row.ts';
import type { Postponement, WorkItem } from '../index/work-items.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Cause } from '../work/messages.ts';
import { chooseLogLevel } from './plan.ts';
import { type Move, QUICK_TRIES, type UseResult } from './use-result.ts';

/** Reasons for which an item may wait for hours without an error. */
const QUIET: ReadonlySet<Reason> = new Set(['Paused', 'Busy', 'ScopesNotListed']);

export type PassLog = ReturnType<typeof createPassLog>;

export function createPassLog(subscription: string, { log, now }: { readonly log: Log; readonly now: () => Date }) {
  const startedMs = now().getTime();
  const blocks = new Map<string, { readonly key: string; readonly reason: Reason; uses: number }>();
  let uses = 0;
  let moved = 0;
  let requests = 0;

  return {
    addRequests(count: number): void {
      requests += count;
    },

    /** Logs the result of a use if it differs from the last result. @param before the use's previous row */
    result(before: UseRow, { row, changed, blocked, detail }: UseResult, key: ManagedKey, cause: Cause): void {
      uses += 1;

      const { account, scope } = before;
      const about = { key: key.id, account, scope, cause };

      if (changed) {
        log({ level: 'info', reason: 'ChangedByOthers', message: REASONS.ChangedByOthers, ...about, ...changed });
      }

      if (blocked) {
        const block = blocks.get(`${key.id} ${blocked.reason}`) ?? { key: key.id, reason: blocked.reason, uses: 0 };
        blocks.set(`${key.id} ${blocked.reason}`, block);
        block.uses += 1;
      }

      if (!row?.reason || (row.state !== 'failed' && row.state !== 'indeterminate')) return;

      const message = [REASONS[row.reason], detail].filter(Boolean).join(' ');
      if (row.reason !== before.reason) log({ level: 'warning', reason: row.reason, message, ...about });
      if (row.attempts !== QUICK_TRIES || before.attempts === QUICK_TRIES) return;

      const failed = `${REASONS.UseFailed} ${message}`;

      log({ level: 'error', reason: 'UseFailed', message: failed, because: row.reason, ...about });
    },

    /** Logs that Key Vault gave no list of a key's versions. */
    unreadable(key: ManagedKey, error: unknown): void {
      const message = `${REASONS.VaultUnreadable} ${describeError(error)}`;
      log({ level: 'warning', reason: 'VaultUnreadable', message, key: key.id, subscription });
    },

    moved({ id: _, reason, ...move }: Move, cause: Cause): void {
      if (reason !== 'PickUpObserved') moved += 1;
      const seconds = cause.since === '' ? undefined : (now().getTime() - Date.parse(cause.since)) / 1000;
      log({ level: 'info', reason, message: REASONS[reason], ...move, cause, seconds });
    },

    /** Logs an item that is older than an hour. */
    postponed({ kind, about, since }: WorkItem, { due, reason }: Postponement): void {
      if (!reason || QUIET.has(reason) || now().getTime() - since.getTime() < HOUR_MS) return;
      const message = `${REASONS.DeferredForLong} ${kind} since ${since.toISOString()} (${reason}).`;
      const when = { deferredSince: since.toISOString(), due: due.toISOString() };
      const of = { subscription, kind, about };
      log({ level: 'error', reason: 'DeferredForLong', message, because: reason, ...of, ...when });
    },

    region(region: string, reason: 'RegionClosed' | 'RegionOpened' | 'Throttled', seconds?: number): void {
      const level = reason === 'RegionOpened' ? 'info' : 'warning';
      log({ level, reason, message: REASONS[reason], subscription, region, seconds });
    },

    /** @param nextDue earliest due time of the remaining items */
    end(nextDue: Date | undefined): void {
      for (const { key, reason, uses: blocked } of blocks.values()) {
        log({ level: chooseLogLevel(reason), reason, message: REASONS[reason], key, subscription, uses: blocked });
      }
      const seconds = (now().getTime() - startedMs) / 1000;
      const counts = { uses, moved, requests, seconds, nextDue: nextDue?.toISOString() };
      const message = `${REASONS.PassDone} ${uses} uses, ${moved} moved, ${requests} requests.`;
      log({ level: 'info', reason: 'PassDone', message, subscription, ...counts });
    },
  };
}

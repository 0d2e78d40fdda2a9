import { toKeyUse } from '../accounts/key-use.ts';
import type { Calls } from '../azure/limiter.ts';
import type { Reason } from '../errors/reasons.ts';
import { hasBeenSince } from '../formats/spans.ts';
import type { UseRow } from '../index/use-row.ts';
import { getDue, isAboutAccount, isComparison } from '../index/work-items.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { isExcluded } from '../settings/exemption.ts';
import { findGateBlock } from './gate.ts';
import type { KeyState } from './key-states.ts';
import type { Plan } from './plan.ts';
import { planUse } from './plan-use.ts';
import { type PassItem, startOfRequest, type Task } from './task.ts';
import { createBlockedResult, isRefreshed, markFinished, type UseResult } from './use-result.ts';

/** Uses that the drift check must not move: what CMK_AUTOFIX does not name, and exemptions. */
export type Exclusions = Parameters<typeof isExcluded>[1];

/** A use that a pass reads, with the state in its row. */
export interface UseRequest {
  readonly row: UseRow;
  readonly key: ManagedKey;
  /** Time of the request: what is read for it must be newer. */
  readonly since: Date;
  /** The drift check must not move the use (exempt, or not in CMK_AUTOFIX). */
  readonly isExempt: boolean;
  /** The drift check has evaluated the change by another actor. */
  readonly isChecked: boolean;
  readonly calls: Calls;
}

/** What a pass does with a task when its turn comes. */
export type Selected =
  /** Its row stays as it is. */
  | { readonly do: 'nothing' }
  /** Not due yet. */
  | { readonly do: 'wait'; readonly until: Date; readonly reason: Reason | undefined }
  /** Needs no call to Azure. */
  | { readonly do: 'end'; readonly result: UseResult }
  | { readonly do: 'read'; readonly request: UseRequest };

/**
 * Selects what a pass does with a use, from its row: waits for its next try, asks the plan and the gate whether it may
 * move, and whether a move or a read is needed at all.
 *
 * @param row the newest row of the task's use
 */
export function selectTask(task: Task, row: UseRow, state: KeyState, exclusions: Exclusions, now: Date): Selected {
  const { items, key } = task;
  const until = getNextTry(row, now);
  if (until && !isTriedNow(row, task)) return { do: 'wait', until, reason: row.reason };

  // An exemption binds the drift check. Any other cause moves the use.
  const isExempt = items.every(({ item }) => isComparison(item.cause)) && isExcluded(row, exclusions, now);
  const plan = state.versions && planUse(row, toKeyUse(row), state, state.versions, isExempt, now).plan;

  if (plan && !needsRead(task, row)) {
    const selected = selectPlan(task, row, plan, state, now);
    if (selected) return selected;
  }

  // A list shows another state than the row, so the row does not tell whether a write is needed. Most reads after a
  // list confirm what Storage or an operator changed, and must not use the hourly write budget.
  const isPlanned = !task.mustRead && plan?.write === true && !isRefreshed(row, plan);
  const mayWrite = isPlanned || row.state === 'indeterminate';
  const calls: Calls = { reads: 1, writes: Number(mayWrite), purpose: row.attempts > 1 ? 'retry' : undefined };

  // The change check puts the items of accounts.
  const isChecked = items.some(({ item }) => isAboutAccount(item));

  return { do: 'read', request: { row, key, since: startOfRequest(task), isExempt, isChecked, calls } };
}

/** Returns whether the gate forbids no read: after a list, a PATCH without an answer, or a move without a record. */
export function needsRead({ mustRead }: Pick<Task, 'mustRead'>, row: UseRow): boolean {
  return mustRead || row.state === 'indeterminate' || row.movedFrom !== undefined;
}

/** Returns when a retry of the use is due; undefined: now. The same limit applies to rows and items. */
export function getNextTry({ notBefore = '' }: UseRow, now: Date): Date | undefined {
  const due = getDue({ due: new Date(notBefore) }, now);
  return due > now ? due : undefined;
}

/** Selects from the row's plan. Returns undefined if the use is to be read. */
function selectPlan({ items }: Task, row: UseRow, plan: Plan, state: KeyState, now: Date): Selected | undefined {
  // A use that was read since the item's request needs no second read.
  const requestsRead = ({ item }: PassItem) => item.fresh && !hasBeenSince(row.readOn, item.since.getTime(), now);

  if (!items.some(requestsRead)) {
    if (!mayChange(row, plan)) return { do: 'nothing' };

    // A fleet of exempt uses would spend the budget of reads, and each read would confirm its row.
    if (plan.reason === 'LeftByCheck' && row.state !== 'failed') {
      return { do: 'end', result: { row: markFinished(row, plan), moves: [] } };
    }
  }

  const { target, reason } = plan;
  const blocked = target ? findGateBlock(row, target.id, state, now) : { reason };

  return blocked && { do: 'end', result: createBlockedResult(row, blocked) };
}

/** Returns whether the plan needs a PATCH, or another state of the row. */
function mayChange(row: UseRow, plan: Plan): boolean {
  if (plan.write) return !isRefreshed(row, plan);
  if (plan.reason === 'UpToDate') return row.state === 'failed';
  return plan.target !== undefined && (row.state !== 'skipped' || row.target !== plan.target.id);
}

/** Returns whether a new item, or a dead worker's possible move, retries a failed use at once. */
function isTriedNow({ state, notBefore }: UseRow, { row, items }: Task): boolean {
  const isNewRequest = ({ item: { kind, attempts } }: PassItem) =>
    kind === 'verify' || (kind === 'key' && attempts === 0);

  // Otherwise, an earlier task of this pass has retried the use.
  return state === 'failed' && notBefore === row.notBefore && items.some(isNewRequest);
}

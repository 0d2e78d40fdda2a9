import { describeAnswerOf, describeFailure } from '../azure/failure.ts';
import type { Reason } from '../errors/reasons.ts';
import { createMoveId, getVersionOfRow, type UseRow } from '../index/use-row.ts';
import { LONGEST_WAIT_MS } from '../index/work-items.ts';
import { formatKeyIdentifier, parseKeyIdentifier } from '../keys/key-identifier.ts';
import type { StandingOrders } from '../orders/standing-orders.ts';
import { toOutcome } from '../work/outcome.ts';
import { getRetryDelay } from '../work/retry.ts';
import type { Blocked } from './gate.ts';
import { orderBetween } from './key-states.ts';
import type { Plan } from './plan.ts';

/** Failed attempts after which a use is retried once an hour. */
export const QUICK_TRIES = 8;

/** A move by the app, or one that it observed, that needs an audit record. */
export interface Move {
  /** Hash of the state in Azure, so that a second record of the move has the same id. */
  readonly id: string;
  /**
   * `MoveObserved`: only the announcement of a dead worker attributes the move to the app. `PickUpObserved`: the app did
   * not make it.
   */
  readonly reason: 'Moved' | 'Refreshed' | 'Rekeyed' | 'MoveObserved' | 'PickUpObserved';
  readonly account: string;
  readonly scope?: string | undefined;
  readonly key: string;
  /** Version identifiers. */
  readonly from: string | undefined;
  readonly to: string;
  readonly mode: 'pinned' | 'automatic';
  /** A later read proved the move, since the answer to the PATCH was lost. */
  readonly provenBy?: 'read';
  /** Azure's timestamp of the change (ISO 8601); absent: Azure returned none. */
  readonly movedOn?: string | undefined;
  /** Id of the move's re-key order. */
  readonly rekey?: string | undefined;
}

/** What a pass learned of a use, and is to write. */
export interface UseResult {
  /** The new index row; undefined if the use no longer exists. */
  readonly row: UseRow | undefined;
  /** Moves that the trail may lack, oldest first. */
  readonly moves: readonly Move[];
  /** A change by another actor. */
  readonly changed?: { readonly from: string | undefined; readonly to: string | undefined } | undefined;
  readonly blocked?: Blocked;
  /** Azure answered 429 to a call for this use. Seconds of its `Retry-After`, if present. */
  readonly throttled?: { readonly retryAfterSeconds: number | undefined; readonly code: string };
  /** Whether the region's resource provider answered; false after a deadline or 5xx; absent without a call. */
  readonly hasAnswered?: boolean;
  readonly isRead?: true;
  /** Whether Azure has no account of this ARM id: it was deleted, or moved to another resource group. */
  readonly isAccountGone?: true;
  readonly detail?: string;
}

/** Result for an encryption scope that is deleted, of an account that exists. */
export const GONE: UseResult = { row: undefined, moves: [], hasAnswered: true };

/** Result for a use whose account has no longer this ARM id. @param row as it was */
export function createAccountGoneResult(row: UseRow): UseResult {
  return { row, moves: [], hasAnswered: true, isAccountGone: true };
}

/** The result of a use that must wait. @param row as it was */
export function createBlockedResult(row: UseRow, blocked: Blocked): UseResult {
  return { row, moves: [], blocked };
}

/** The result of a use that was read and must wait. Its row has no reason: a block concerns its key or the pass. */
export function withBlock(observed: UseResult, seen: UseRow, blocked: Blocked): UseResult {
  const row: UseRow = { ...seen, state: 'pending', reason: undefined, notBefore: undefined };
  return { ...observed, row, blocked };
}

/** Retries the use soon, since its input is outdated. */
export function createRetrySoonBlock(now: Date): Blocked {
  return { reason: 'ServiceUnavailable', until: new Date(now.getTime() + getRetryDelay(0)) };
}

/** Returns the result of a call without effect. */
export function createFailedResult(row: UseRow, error: unknown, now: Date): UseResult {
  const failure = describeFailure(error);
  const detail = describeAnswerOf(failure);

  if (failure.kind === 'throttled') {
    const { retryAfterSeconds, code } = failure;
    return { row, moves: [], throttled: { retryAfterSeconds, code }, hasAnswered: true, detail };
  }

  const hasAnswered = failure.kind !== 'unavailable';
  return { row: markFailed(row, toOutcome(error).reason, now), moves: [], detail, hasAnswered };
}

/** Marks a use as failed, with the time of its next attempt. */
export function markFailed(row: UseRow, reason: Reason, now: Date): UseRow {
  const attempts = row.attempts + 1;
  const notBefore = new Date(now.getTime() + delayMs(attempts)).toISOString();

  // The row stays indeterminate while a PATCH may still take effect.
  const state = row.state === 'indeterminate' ? row.state : 'failed';

  return { ...row, state, reason, attempts, notBefore };
}

/** Returns the row after the plan's target needs no more work. */
export function markFinished(row: UseRow, { reason, target }: Plan): UseRow {
  const state = reason === 'UpToDate' ? 'done' : 'skipped';
  return { ...row, target: target?.id ?? row.target, state, reason, attempts: 0, notBefore: undefined };
}

/** The app writes an automatic use once per target; Storage updates it within a day. */
export function isRefreshed(row: UseRow, { reason, target }: Plan): boolean {
  const isSkipped = row.state === 'skipped' && row.reason === reason;
  return reason === 'LaggingAutomaticVersion' && isSkipped && row.target === target?.id;
}

/** Returns the end of a failed use's last attempt; undefined if the use has not failed. */
export function getFailedOn({ state, notBefore, attempts }: UseRow): Date | undefined {
  if (state !== 'failed' || notBefore === undefined) return undefined;
  return new Date(Date.parse(notBefore) - delayMs(attempts));
}

/** Returns the last move of a use from its row: sent, detected later, or without a record. */
export function toMove(row: UseRow, orders: StandingOrders | undefined): Move {
  const { account, scope, mode, stamp = '', movedFrom = '' } = row;
  const to = getVersionOfRow(row) ?? '';
  const left = parseKeyIdentifier(movedFrom);
  const key = left ? formatKeyIdentifier(left) : row.key;
  const isOtherKey = key !== row.key;

  return {
    id: createMoveId(row, to, stamp),
    reason: reasonOf(row, isOtherKey),
    account,
    scope,
    key,
    from: left?.version ? movedFrom : undefined,
    to,
    mode,
    movedOn: stamp || undefined,
    // The order may have ended since the move.
    rekey: isOtherKey ? orderBetween(orders, key, row.key) : undefined,
  };
}

function reasonOf({ mode, isOnlyObserved, isPickedUp }: UseRow, isOtherKey: boolean): Move['reason'] {
  if (isPickedUp) return 'PickUpObserved';
  if (isOnlyObserved) return 'MoveObserved';
  if (isOtherKey) return 'Rekeyed';
  return mode === 'automatic' ? 'Refreshed' : 'Moved';
}

function delayMs(attempts: number): number {
  return attempts > QUICK_TRIES ? LONGEST_WAIT_MS : getRetryDelay(attempts - 1);
}

import { isUseOfKey } from '../accounts/key-use.ts';
import { describeError } from '../azure/failure.ts';
import { getVersionOfRow, type UseRow } from '../index/use-row.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { toOutcome } from '../work/outcome.ts';
import { findGateBlock } from './gate.ts';
import type { KeyState, Order } from './key-states.ts';
import { type Observation, observe, type ReadUse } from './observe.ts';
import type { Announcement } from './pass-state.ts';
import type { Plan } from './plan.ts';
import { planUse } from './plan-use.ts';
import type { UseRequest } from './select.ts';
import {
  createRetrySoonBlock,
  isRefreshed,
  type Move,
  markFinished,
  toMove,
  type UseResult,
  withBlock,
} from './use-result.ts';

/** Time within which the drift check reads another actor's change, after its event. Milliseconds. */
const CHANGE_CHECK_MS = 5_000;

/** A planned PATCH of a use. */
export interface PlannedMove {
  readonly key: ManagedKey;
  /** The use as it was read. */
  readonly seen: UseRow;
  /** What the read showed, without the PATCH. */
  readonly observed: UseResult;
  readonly plan: Plan & { readonly write: true };
  /** Start of the version list that the plan is made from, in milliseconds. */
  readonly listedAt: number;
  /** The re-key order that moves the use. */
  readonly order: Order | undefined;
}

/** What is done with a use that was read: nothing more, or a PATCH. */
export type Decision = { readonly result: UseResult } | { readonly move: PlannedMove };

/**
 * Decides on a use that was read: observes what changed, plans, and asks the gate. Decides from the read, not from the
 * row.
 *
 * @param state the key's state after the read. Without versions and an error, the pass had no time to list them
 * @param announced by workers that died
 */
export function decideUse(
  { row, key, isExempt, isChecked, calls }: UseRequest,
  read: ReadUse,
  state: KeyState,
  announced: readonly Announcement[],
  now: Date,
): Decision {
  const observed = resultOf(observe(row, read, announced), state);
  const { row: seen } = observed;
  if (!seen || !isUseOfKey(read.use, key)) return { result: observed };

  if (!state.versions) return { result: withoutList(observed, seen, state.unlisted, now) };

  const { plan, listedAt, order } = planUse(seen, read.use, state, state.versions, isExempt, now);
  if (plan.reason === 'RevocationOpen') return { result: withBlock(observed, seen, { reason: plan.reason }) };
  if (!plan.write || isRefreshed(seen, plan)) return { result: { ...observed, row: markFinished(seen, plan) } };

  // The check of the change event identifies the actor, and stops a conflict.
  if (observed.changed && !isChecked) {
    const until = new Date(now.getTime() + CHANGE_CHECK_MS);
    const waiting: UseRow = { ...seen, state: 'pending', reason: undefined, notBefore: until.toISOString() };
    return { result: { ...observed, row: waiting, blocked: { reason: 'ChangedByOthers', until } } };
  }

  // The use needs a PATCH, but the task has no permit for a write. The retry requests one.
  const mayWrite = (calls.writes ?? 0) > 0;
  const blocked = mayWrite
    ? findGateBlock(seen, plan.target.id, state, now)
    : ({ reason: 'Busy', until: now } as const);
  if (blocked) return { result: withBlock(observed, seen, blocked) };

  return { move: { key, seen, observed, plan, listedAt, order } };
}

/** Returns the result without a list of the key's versions: that is no failure of the use. */
function withoutList(observed: UseResult, seen: UseRow, error: unknown, now: Date): UseResult {
  // At the end of the pass, the use stays pending: the worker must not hold the lease for a vault that hangs.
  if (error === undefined) return withBlock(observed, seen, { reason: 'Busy', until: now });

  const blocked = { ...createRetrySoonBlock(now), reason: toOutcome(error).reason };
  return { ...withBlock(observed, seen, blocked), detail: describeError(error) };
}

function resultOf({ row, changed }: Observation, { orders }: KeyState): UseResult {
  // Records only a move that Azure confirms, since the row may be forged.
  const isUnrecorded = row?.movedFrom !== undefined && getVersionOfRow(row) !== undefined;
  const moves: Move[] = isUnrecorded ? [{ ...toMove(row, orders?.value), provenBy: 'read' }] : [];

  return { row, moves, hasAnswered: true, isRead: true, changed };
}

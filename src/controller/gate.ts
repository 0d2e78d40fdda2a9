import type { Reason } from '../errors/reasons.ts';
import { isAdmitted } from '../index/rollout-row.ts';
import type { UseRow } from '../index/use-row.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { findContest, findPause } from '../orders/standing-orders.ts';
import type { KeyState } from './key-states.ts';
import { getKeyOfVersion } from './observe.ts';

/** Age of the orders after which an instance that cannot read them moves nothing (invariant 9). Milliseconds. */
const UNREADABLE_MS = 30_000;
/** Retry delay after a failed read. Milliseconds. */
const AGAIN_MS = 15_000;
/** Retry delay during a pause without an end. Milliseconds. */
const PAUSED_MS = 3_600_000;

/** Why a use must not move now, although the plan moves it. */
export interface Blocked {
  readonly reason: Reason;
  /** Retry time; absent if a work item follows at the end of the block. */
  readonly until?: Date;
  /** No stage has been decided for the target version. */
  readonly needsRollout?: true;
}

/**
 * The gate: returns why a use must not move to a version now.
 *
 * @param target version identifier
 */
export function findGateBlock(row: UseRow, target: string, state: KeyState, now: Date): Blocked | undefined {
  const { key, orders } = state;
  const again = new Date(now.getTime() + AGAIN_MS);

  if (state.isRolloutUnread) return { reason: 'ServiceUnavailable', until: again };
  if (!orders || now.getTime() - orders.begunAt > UNREADABLE_MS) return { reason: 'PauseUnreadable', until: again };

  const order = isVersionOf(target, key) ? undefined : state.order;

  // Only an open order moves a use to another key. This order ended between the plan and the write.
  if (!isVersionOf(target, order?.to ?? key) || order?.covers(row) === false) {
    return { reason: 'RekeyChanged', until: now };
  }

  const pause = findPause(orders.value, key.id, now) ?? (order && findPause(orders.value, order.to.id, now));
  if (pause) {
    const until = pause.until ? new Date(pause.until) : new Date(now.getTime() + PAUSED_MS);
    return { reason: 'Paused', until };
  }

  const contest = findContest(orders.value.contests, row.account, now);
  if (contest) return { reason: 'ContestedChange', until: new Date(contest.until) };

  const rollout = order ? state.orderRollout : state.rollout;
  if (rollout?.target !== target) return { reason: 'WaveNotBegun', needsRollout: true };
  if (isAdmitted(rollout, row)) return undefined;

  return { reason: rollout.stage === 'canary' ? 'CanaryUnderWay' : 'WaveNotBegun' };
}

function isVersionOf(version: string, { id }: ManagedKey): boolean {
  return getKeyOfVersion(version) === id;
}

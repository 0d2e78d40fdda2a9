import type { StoredRollout } from '../index/rollout-row.ts';
import { NO_ROLLOUT, type RolloutRow } from '../index/rollout-row.ts';
import { isComparison, SWEEP_MS, type WorkItem } from '../index/work-items.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { findPause, isResumed, type StandingOrders } from '../orders/standing-orders.ts';
import type { Cause } from '../work/messages.ts';
import { RolloutCount, type RolloutDecision } from './decide-rollout.ts';
import type { OpenRekey } from './reconcile-rekey.ts';
import type { Callers } from './single-flight.ts';

/** Causes of follow-up work. If the key already has a work item, that item's cause remains. */
const FOLLOW_UPS: ReadonlySet<string> = new Set(['sweep', 'progress', 'drift']);
/** Causes that continue a rollout. They take its cause, which decides whether exempt uses may move. */
const CONTINUATIONS: ReadonlySet<string> = new Set(['sweep', 'progress', 'takeover']);

/** What a decision on a key is made from, beside the key's uses. */
export interface DecisionInput {
  readonly stored: StoredRollout | undefined;
  readonly versions: readonly KeyVersion[];
  readonly orders: StandingOrders;
  /** When all of this was read. */
  readonly at: Date;
  readonly isRevoked: boolean;
  /** When the next version becomes active. */
  readonly activation: string | undefined;
  readonly open: OpenRekey | undefined;
  /** Undefined if the key is revoked or has no usable version. */
  readonly target: KeyVersion | undefined;
}

export interface Causes {
  readonly cause: Cause;
  /** The original cause of the work. */
  readonly origin: Cause;
  /** Whether an event or operator requested the decision, or a pause of the key has ended. */
  readonly isRequested: boolean;
}

/** The rollout of a key, or of a re-key order. */
export interface Rollout {
  /** Name of the row: id of the key or of the order. */
  readonly name: string;
  readonly target: KeyVersion;
  readonly count: RolloutCount;
  readonly stored: StoredRollout | undefined;
  readonly activation?: string | undefined;
}

export interface Rollouts {
  /** Undefined while an order moves all uses of the key. */
  readonly own: Rollout | undefined;
  readonly ordered: (Rollout & { readonly open: OpenRekey }) | undefined;
}

/** Why no stage is decided now. */
export type Obstacle =
  | {
      readonly is: 'noTarget';
      readonly reason: 'RevocationOpen' | 'KeyNotFound' | 'NoUsableVersion';
      readonly row: RolloutRow;
    }
  | { readonly is: 'paused'; readonly due: Date };

/** Returns the cause for a decision that several callers share. Any other cause moves all that a follow-up moves, and more. */
export function findStrongestCause(causes: Callers<Cause>): Cause {
  return causes.find(({ by }) => !FOLLOW_UPS.has(by)) ?? causes[0];
}

/** Returns the causes of a decision: of the request itself, or of the work that it continues. */
export function selectCauses(
  cause: Cause,
  item: WorkItem | undefined,
  target: KeyVersion | undefined,
  stored: StoredRollout | undefined,
): Causes {
  const wanted = item && FOLLOW_UPS.has(cause.by) ? item.cause : cause;
  const begun = stored?.row.target === target?.id ? stored?.row : undefined;

  // A comparison moves no exempt use, so it must not take over a rollout that another cause has begun.
  const isContinued = CONTINUATIONS.has(wanted.by) || (isComparison(wanted) && (begun?.unfinished ?? 0) > 0);

  return {
    cause,
    origin: isContinued ? (begun?.cause ?? wanted) : wanted,
    // The item also keeps a request whose message was lost.
    isRequested: !FOLLOW_UPS.has(wanted.by) || item?.reason === 'Paused',
  };
}

/** Returns undefined if the stages can be decided. */
export function findObstacle(key: ManagedKey, input: DecisionInput): Obstacle | undefined {
  const { orders, open, target, at } = input;

  if (!target && !open) {
    const checkedOn = at.toISOString();
    const row = { ...NO_ROLLOUT, progressOn: checkedOn, checkedOn, activation: input.activation };
    return { is: 'noTarget', reason: explainNoTarget(input), row };
  }

  const pause = findPause(orders, key.id, at) ?? (open && findPause(orders, open.rekey.to, at));
  if (!pause) return undefined;

  const next = at.getTime() + SWEEP_MS;

  return { is: 'paused', due: new Date(pause.until ? Math.min(Date.parse(pause.until), next) : next) };
}

function explainNoTarget({
  isRevoked,
  versions,
}: DecisionInput): Extract<Obstacle, { readonly is: 'noTarget' }>['reason'] {
  if (isRevoked) return 'RevocationOpen';
  return versions.length === 0 ? 'KeyNotFound' : 'NoUsableVersion';
}

/**
 * Returns the rollouts to decide on, before their uses are counted.
 *
 * @param orderStored the stored rollout of the open order
 */
export function planRollouts(
  key: ManagedKey,
  { stored, orders, open, target, activation, at }: DecisionInput,
  orderStored: StoredRollout | undefined,
  origin: Cause,
  canaries: number,
): Rollouts {
  const countTo = (to: KeyVersion, before: StoredRollout | undefined, rekey?: string) =>
    new RolloutCount({
      target: to,
      canaries,
      isOrderedOn: isResumed(orders, to.id, rekey),
      now: at,
      isComparison: isComparison(origin),
      before: before?.row,
    });

  // While an order moves all uses, the key has no separate rollout.
  const hasOwn = target && (!open || open.rekey.only !== undefined);
  const own = hasOwn ? { name: key.id, target, count: countTo(target, stored), stored, activation } : undefined;
  if (!open) return { own, ordered: undefined };

  const { rekey, target: to } = open;
  const ordered = { name: rekey.id, target: to, count: countTo(to, orderStored, rekey.id), stored: orderStored, open };

  return { own, ordered };
}

/**
 * Returns whether a decision replaces existing items, so that postponed work starts at once. Follow-ups and comparisons
 * keep existing items and their messages. Exceptions for follow-ups: a wider stage, an event, or the end of a pause.
 * Other causes may move exempt uses, so a comparison never replaces their items.
 */
export function replacesItems({ isWider, news }: RolloutDecision, { origin, isRequested }: Causes): boolean {
  const wakesPostponed = isWider || news !== undefined || isRequested;
  return wakesPostponed && !isComparison(origin);
}

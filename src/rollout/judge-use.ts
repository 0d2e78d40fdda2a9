import type { FleetOutcome, FleetUse } from '../fleet/fleet-index.ts';
import { keyUseOf } from '../fleet/key-use.ts';
import { planKeyUse } from '../fleet/plan.ts';
import { activeFrom, type KeyVersion, newestUsableVersion } from '../keys/key-versions.ts';
import type { Reason } from '../reasons.ts';
import { hasBeenSince } from '../time/has-been-since.ts';

/**
 * How a use of a key stands in a rotation. `moved`: it is on the newest usable version. `waiting`: it will be moved, and
 * nothing is wrong. `failed`: the last look could not move it, and a person may have to look. `left`: the app does not move
 * it; Storage takes the version by itself, or nothing may be done to it.
 */
export type UseState = 'moved' | 'waiting' | 'failed' | 'left';

export interface JudgedUse {
  readonly state: UseState;
  /** Why; of one that waits, what the last look came to, or what is wrong with the version that it is on. */
  readonly reason: Reason;
}

/** A rotation: all of a key's uses are to get onto the newest usable version. */
export interface RotationGoal {
  readonly versions: readonly KeyVersion[];
  readonly target: KeyVersion;
  /** Since when the target can be used, as far as Key Vault says. */
  readonly startedOn: Date;
  readonly refreshAutomatic: boolean;
  readonly now: Date;
}

/** What passes by itself, in the time that the service or somebody else at work on it takes. */
const PASSING: ReadonlySet<Reason> = new Set([
  'Throttled',
  'Busy',
  'ServiceUnavailable',
  'Conflict',
  'AuditFailed',
  'Paused',
]);

/** Nothing moves it until it is restored. */
const REVOKED: ReadonlySet<Reason> = new Set(['AccountRevocationOpen', 'ScopeRevocationOpen']);

/** Undefined: no version of the key can be used, so that nothing is moved. */
export function rotationGoal(
  versions: readonly KeyVersion[],
  now: Date,
  { refreshAutomatic }: { readonly refreshAutomatic: boolean },
): RotationGoal | undefined {
  const target = newestUsableVersion(versions, now);
  if (!target) return undefined;
  return { versions, target, startedOn: activeFrom(target), refreshAutomatic, now };
}

/** By what the index says of it, and by the same plan that moves it. */
export function judgeUse(use: FleetUse, goal: RotationGoal): JudgedUse {
  const plan = planKeyUse(keyUseOf(use), goal.versions, goal.now, goal);
  if (plan.reason === 'UpToDate') return { state: 'moved', reason: plan.reason };
  if (!plan.write) return { state: 'left', reason: plan.reason };
  const outcome = outcomeSince(use, goal);
  if (!outcome) return { state: 'waiting', reason: plan.reason };
  const { result, reason } = outcome;
  if (REVOKED.has(reason)) return { state: 'left', reason };
  if (result === 'done') {
    // Storage was asked to look, and takes the version by itself. A look within the second in which the version was made
    // may have been about the one before.
    const wasAsked = use.mode === 'automatic' && reason !== 'UpToDate';
    return { state: wasAsked ? 'left' : 'waiting', reason: plan.reason };
  }
  return { state: result === 'retry' && PASSING.has(reason) ? 'waiting' : 'failed', reason };
}

/** What the last look came to, in this rotation: what came of an earlier one says nothing of it, nor does a time still to come. */
export function outcomeSince({ outcome }: FleetUse, { startedOn, now }: RotationGoal): FleetOutcome | undefined {
  return hasBeenSince(outcome?.at, startedOn.getTime() - 1, now) ? outcome : undefined;
}

import { ROLE_MISSING } from './classify-answer.ts';
import { type AccountEffect, type KeyChange, type KeyEffect, probedPlace } from './effect.ts';

/** Time after a change during which probes wait for its effect. Microsoft gives no figure for Storage. Milliseconds. */
export const PATIENCE_MS = 30 * 60_000;
/** Longest propagation of a role assignment ("Troubleshoot Azure RBAC"). Milliseconds. */
const ROLE_SPREADS_MS = 10 * 60_000;

type NextProbe =
  | { readonly next: 'done' }
  | { readonly next: 'again'; readonly delaySeconds: number }
  | { readonly next: 'givenUp' };

/** Returns accounts that can show the effect but have not. Silent accounts are not pending. */
export function pendingAccounts({ accounts, change }: KeyEffect): AccountEffect[] {
  return accounts.filter((effect) => !isSilent(effect) && effect.state !== change.expect);
}

/** Returns whether an account cannot show an effect: no share or container exists, or the app lacks a role. */
export function isSilent(effect: AccountEffect): boolean {
  return probedPlace(effect) === undefined || isBarred(effect);
}

function isBarred({ why = '' }: AccountEffect): boolean {
  return why.startsWith(ROLE_MISSING);
}

/** Returns whether the waiting time after a change is over. */
export function isOver({ since }: KeyChange, now: Date, patienceMs = PATIENCE_MS): boolean {
  return now.getTime() - Date.parse(since) >= patienceMs;
}

/** Returns whether each account was probed after the waiting time: later results are no effect of the change. */
export function isJudged({ accounts, change }: KeyEffect): boolean {
  return accounts.every(({ checkedOn }) => isOver(change, new Date(checkedOn)));
}

/**
 * Schedules the next probe after 5, 10, 20 and 40 seconds, then every minute, for half an hour after the change. If
 * only the app's role is missing, probes end after the longest propagation time of a role assignment.
 */
export function nextProbe(effect: KeyEffect, attempt: number, now: Date): NextProbe {
  const mayComeYet = effect.accounts.some(isBarred) && !isOver(effect.change, now, ROLE_SPREADS_MS);
  if (effect.complete && pendingAccounts(effect).length === 0 && !mayComeYet) return { next: 'done' };
  if (isOver(effect.change, now)) return { next: 'givenUp' };
  return { next: 'again', delaySeconds: Math.min(5 * 2 ** attempt, 60) };
}

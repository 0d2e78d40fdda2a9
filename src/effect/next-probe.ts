import { ROLE_MISSING } from './classify-answer.ts';
import { type AccountEffect, type KeyChange, type KeyEffect, probedPlace } from './effect.ts';

/** How long an effect is waited for. Microsoft gives no figure for Storage. Milliseconds. */
export const PATIENCE_MS = 30 * 60_000;
/** A role that was given takes so long at most ("Troubleshoot Azure RBAC"). Milliseconds. */
const ROLE_SPREADS_MS = 10 * 60_000;

type NextProbe =
  | { readonly next: 'done' }
  | { readonly next: 'again'; readonly delaySeconds: number }
  | { readonly next: 'givenUp' };

/** What can show the effect and does not. What is silent never can, and is not waited for. */
export function pendingAccounts({ accounts, change }: KeyEffect): AccountEffect[] {
  return accounts.filter((effect) => !isSilent(effect) && effect.state !== change.expect);
}

/** Whether it cannot show anything: it has no share or container to list, or the app has no role there. */
export function isSilent(effect: AccountEffect): boolean {
  return probedPlace(effect) === undefined || isBarred(effect);
}

function isBarred({ why = '' }: AccountEffect): boolean {
  return why.startsWith(ROLE_MISSING);
}

/** Whether the time is over in which the effect of a change is waited for. */
export function isOver({ since }: KeyChange, now: Date, patienceMs = PATIENCE_MS): boolean {
  return now.getTime() - Date.parse(since) >= patienceMs;
}

/** Whether each account was asked after the time was over: what a later probe shows is no effect of the change. */
export function isJudged({ accounts, change }: KeyEffect): boolean {
  return accounts.every(({ checkedOn }) => isOver(change, new Date(checkedOn)));
}

/**
 * After 5, 10, 20 and 40 seconds, then every minute, for half an hour from the change; where nothing but a role of the app is
 * missing, for as long as one that was given just now takes to be there.
 */
export function nextProbe(effect: KeyEffect, attempt: number, now: Date): NextProbe {
  const mayComeYet = effect.accounts.some(isBarred) && !isOver(effect.change, now, ROLE_SPREADS_MS);
  if (effect.complete && pendingAccounts(effect).length === 0 && !mayComeYet) return { next: 'done' };
  if (isOver(effect.change, now)) return { next: 'givenUp' };
  return { next: 'again', delaySeconds: Math.min(5 * 2 ** attempt, 60) };
}

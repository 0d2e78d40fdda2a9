import { type AccountEffect, type KeyChange, type KeyEffect, probedPlace } from './effect.ts';

/** How long an effect is waited for. Microsoft gives no figure for Storage; a role takes 10 minutes at most. Milliseconds. */
export const PATIENCE_MS = 30 * 60_000;

type NextProbe =
  | { readonly next: 'done' }
  | { readonly next: 'again'; readonly delaySeconds: number }
  | { readonly next: 'givenUp' };

/** What can show the effect and does not. Without a share or container to list it never can, and is not waited for. */
export function pendingAccounts({ accounts, change }: KeyEffect): AccountEffect[] {
  return accounts.filter((effect) => probedPlace(effect) !== undefined && effect.state !== change.expect);
}

/** Whether the time is over in which the effect of a change is waited for. */
export function isOver({ since }: KeyChange, now: Date): boolean {
  return now.getTime() - Date.parse(since) >= PATIENCE_MS;
}

/** After 5, 10, 20 and 40 seconds, then every minute, for half an hour from the change. */
export function nextProbe(effect: KeyEffect, attempt: number, now: Date): NextProbe {
  if (effect.complete && pendingAccounts(effect).length === 0) return { next: 'done' };
  if (isOver(effect.change, now)) return { next: 'givenUp' };
  return { next: 'again', delaySeconds: Math.min(5 * 2 ** attempt, 60) };
}

import type { Reason } from '../reasons.ts';

/**
 * What the app can fix. The first five are what an event, or a rotation that was broken off, would have done: they are
 * fixed unless `CMK_AUTOFIX` says otherwise, so that a lost event changes nothing in the end.
 */
export const FIXABLE = [
  'StaleKeyVersion',
  'ScopeStaleKeyVersion',
  'LaggingAutomaticVersion',
  'NearExpiry',
  'RotationIncomplete',
  'EventSubscriptionMissing',
  'EventSubscriptionMisaimed',
  'ChangesNotWatched',
  'RetirableVersion',
] as const satisfies readonly Reason[];

export type Fixable = (typeof FIXABLE)[number];

export const DEFAULT_AUTOFIX: readonly Fixable[] = FIXABLE.slice(0, 5);

export function isFixable(reason: string): reason is Fixable {
  return (FIXABLE as readonly string[]).includes(reason);
}

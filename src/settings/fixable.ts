import type { Reason } from '../reasons.ts';

/**
 * Findings that the app can fix. The first five repair the effects of a lost event or an interrupted rotation. The app
 * fixes them unless `CMK_AUTOFIX` excludes them, so a lost event has no lasting effect.
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

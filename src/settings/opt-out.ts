import { dayOf } from '../time/duration.ts';
import { tagOf } from './requirement.ts';

/** Account tag that records that an account was taken off its key on purpose: a time, and by whom or why. */
export const OPT_OUT_TAG = 'cmk-opt-out';

/** An Azure tag's value has 256 characters at most (Azure Resource Manager, "tags"). */
const LONGEST = 256;

/** The value of the tag. */
export function formatOptOut(now: Date, by: string): string {
  return `${now.toISOString()} ${by}`.slice(0, LONGEST);
}

/**
 * Whether an account left its key on purpose: the tag has a time that is no earlier than when the account was last seen on
 * the key. A tag from before does not count, since the account came back meanwhile. A date alone holds for its whole day.
 */
export function isOptedOut(tags: Readonly<Record<string, string>>, lastSeen: Date): boolean {
  const [time = ''] = (tagOf(tags, OPT_OUT_TAG) ?? '').trim().split(/\s/);
  if (/^\d{4}-\d\d-\d\d$/.test(time)) return time >= dayOf(lastSeen);
  return Date.parse(time) >= lastSeen.getTime();
}

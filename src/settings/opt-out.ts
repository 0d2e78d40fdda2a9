import { dayOf } from '../time/duration.ts';
import { tagOf } from './requirement.ts';

/**
 * Account tag that records that a person removed the account from its key on purpose: a time, and the person or reason.
 */
export const OPT_OUT_TAG = 'cmk-opt-out';

/** Maximum length of an Azure tag's value (Azure Resource Manager, "tags"). */
const LONGEST = 256;

/** Formats the value of the tag. */
export function formatOptOut(now: Date, by: string): string {
  return `${now.toISOString()} ${by}`.slice(0, LONGEST);
}

/**
 * Whether an account left its key on purpose: the tag's time is not earlier than the last read that found the account
 * on the key. An older tag does not count, because the account has returned to the key since. A date covers its whole
 * day.
 */
export function isOptedOut(tags: Readonly<Record<string, string>>, lastSeen: Date): boolean {
  const [time = ''] = (tagOf(tags, OPT_OUT_TAG) ?? '').trim().split(/\s/);
  if (/^\d{4}-\d\d-\d\d$/.test(time)) return time >= dayOf(lastSeen);
  return Date.parse(time) >= lastSeen.getTime();
}

import type { AuditEntry } from './record.ts';

/**
 * Returns the reason or ticket of a record for display. A record with `claimed` was derived later and has them from a
 * queue message, whose sender may not be the caller, so they are unverified.
 */
export function getGivenText(
  { details = {} }: Pick<AuditEntry, 'details'>,
  name: 'why' | 'ticket',
): string | undefined {
  const text = details[name];
  if (typeof text !== 'string') return undefined;
  return details.claimed === undefined ? text : `${text} (unverified)`;
}

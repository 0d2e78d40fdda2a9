import type { AuditEntry } from './record.ts';

/**
 * The reason or ticket of a record, for people. A record that was derived later has them from a queue message, whose
 * sender may be another than the caller: `claimed` shows that.
 */
export function givenText({ details = {} }: Pick<AuditEntry, 'details'>, name: 'why' | 'ticket'): string | undefined {
  const text = details[name];
  if (typeof text !== 'string') return undefined;
  return details.claimed === undefined ? text : `${text} (unverified)`;
}

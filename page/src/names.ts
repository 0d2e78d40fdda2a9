import { REASONS } from '../../src/errors/reasons.ts';
import { count, inWords } from '../../src/keys/short-names.ts';
import type { KeySummary } from './api/types.ts';

/** A reason code as a sentence, or in words if it has none. */
export function reasonSentence(reason: string): string {
  return (REASONS as Readonly<Record<string, string>>)[reason] ?? `${inWords(reason)}.`;
}

/** The number of a key's users: `3 accounts, 1 scope`, or `at least 3 accounts` if some are unknown. */
export function usersOf({
  accounts,
  scopes,
  complete,
}: Pick<NonNullable<KeySummary['users']>, 'accounts' | 'scopes' | 'complete'>): string {
  const scoped = scopes > 0 ? `, ${count(scopes, 'scope')}` : '';
  return `${complete ? '' : 'at least '}${count(accounts, 'account')}${scoped}`;
}

const ROTATES_BY = {
  policy: "By Key Vault's rotation policy",
  app: 'By the app, near the expiry',
  person: 'By a person',
  none: 'None planned',
} as const;

/** What creates the next version of a key. */
export function rotatesBy(by: NonNullable<KeySummary['nextRotation']>['by']): string {
  return ROTATES_BY[by];
}

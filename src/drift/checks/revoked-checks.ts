import type { Account } from '../../fleet/account.ts';
import {
  type AccountRevocation,
  openOfPart,
  readAccountRevocations,
  resourceOfPart,
  revokedBelowKey,
  scopeOfPart,
} from '../../revocation/account-record.ts';
import { newestOfParts } from '../../revocation/record-view.ts';
import { restoreAccountCommand } from '../../revocation/restore-command.ts';
import type { Check, Found } from './check.ts';
import type { AccountSubject, Rules } from './subjects.ts';

/** Whether an account is revoked by itself, or one of its encryption scopes, by itself or with the account. */
export function isRevoked({ tags }: Pick<Account, 'tags'>, { now }: Pick<Rules, 'now'>, scope?: string): boolean {
  return revokedBelowKey(tags, scope, now) !== undefined;
}

/** Since when an account is revoked by itself (ISO 8601), for a finding that says so; undefined: it is another one. */
export function revokedSince(
  { reason }: { readonly reason: string },
  { tags }: Pick<Account, 'tags'>,
  { now }: Pick<Rules, 'now'>,
): string | undefined {
  if (reason !== 'AccountRevocationOpen') return undefined;
  return openOfPart(tags, 'identity', now).at(-1)?.revokedOn.toISOString();
}

function accountRevocationOpen(subject: AccountSubject, rules: Rules): readonly Found[] {
  return openOf(subject, rules).flatMap((open) => (scopeOfPart(open.part) === undefined ? found(subject, open) : []));
}

function scopeRevocationOpen(subject: AccountSubject, rules: Rules): readonly Found[] {
  return openOf(subject, rules).flatMap((open) => (scopeOfPart(open.part) === undefined ? [] : found(subject, open)));
}

/** What a write that took effect late, or a person, has given back: nobody gets it past the record. */
function accountRevocationNotHeld(subject: AccountSubject, rules: Rules): readonly Found[] {
  const { account, access, scopes } = subject;
  return openOf(subject, rules).flatMap((open) => {
    const name = scopeOfPart(open.part);
    const scope = scopes.find((one) => one.scope.name.toLowerCase() === name?.toLowerCase());
    const isThere = name === undefined ? access?.ready === true : scope?.scope.enabled === true;
    if (!isThere) return [];
    const what = name === undefined ? 'the identity may use the key' : 'the encryption scope is enabled';
    return [
      {
        resource: resourceOfPart(account, open.part),
        is: `Revocation ${open.id} of ${open.revokedOn.toISOString()} is open, and ${what}.`,
        shouldBe: 'What is revoked has no access until it is restored.',
      },
    ];
  });
}

function accountRecordUnbelieved({ account }: AccountSubject, { now }: Rules): readonly Found[] {
  return readAccountRevocations(account.tags, now).unbelieved.map((id) => ({
    part: id,
    is: `The tags cmk-revoked-${id} are no record that this app has written, or a piece of it is missing.`,
    shouldBe: 'The record of a revocation stands on its account as it was written.',
  }));
}

function openOf({ account }: AccountSubject, { now }: Rules): readonly AccountRevocation[] {
  return newestOfParts(readAccountRevocations(account.tags, now).open);
}

function found({ account }: AccountSubject, { id, part, revokedOn, revokedBy }: AccountRevocation): Found[] {
  return [
    {
      resource: resourceOfPart(account, part),
      is: `It was revoked by itself on ${revokedOn.toISOString()} by ${revokedBy} (${id}).`,
      shouldBe: 'It is restored by a second person once the incident is over.',
      command: restoreAccountCommand(account, { id }),
    },
  ];
}

/** What is made sure of where an account, or one of its encryption scopes, is revoked below its key. */
export const REVOKED_CHECKS: readonly Check<AccountSubject>[] = [
  {
    reason: 'AccountRevocationOpen',
    severity: 'warning',
    ensures: 'No account stays revoked by itself unnoticed.',
    fix: 'Restore it by a second person once the incident is over; nothing moves it until then.',
    find: accountRevocationOpen,
  },
  {
    reason: 'ScopeRevocationOpen',
    severity: 'warning',
    ensures: 'No encryption scope stays revoked by itself unnoticed.',
    fix: 'Restore it by a second person once the incident is over; nothing moves or enables it until then.',
    find: scopeRevocationOpen,
  },
  {
    reason: 'AccountRevocationNotHeld',
    severity: 'error',
    ensures: 'What is revoked by itself has no access to its key.',
    fix: 'Revoke it again (`cmk account revoke`): what is there is taken away, and is in the record then. Or restore it, where giving it back was meant.',
    find: accountRevocationNotHeld,
  },
  {
    reason: 'AccountRecordUnbelieved',
    severity: 'error',
    ensures: 'The record of a revocation below the key is whole.',
    fix: 'Find out who has written the tags. What was taken away is in the audit trail (`cmk audit list --action account.revoke`): give it back from there, then delete the tags.',
    find: accountRecordUnbelieved,
  },
];

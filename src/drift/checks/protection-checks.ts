import { scopeResource } from '../../azure/resource-id.ts';
import type { OwnKeyService } from '../../fleet/account.ts';
import { ownKeyServices } from '../../fleet/account.ts';
import { requirementOf, tagOf } from '../../settings/requirement.ts';
import type { Check, Found } from './check.ts';
import { KEY_TAG } from './left-checks.ts';
import type { AccountSubject, Rules } from './subjects.ts';

/** Whether an account has to use a customer-managed key, by its tag or by CMK_REQUIRE. */
function hasToUseKey({ account }: AccountSubject, { drift }: Rules): boolean {
  return tagOf(account.tags, KEY_TAG) !== undefined || requirementOf(account, drift.require) !== undefined;
}

/** None for an account without a customer-managed key, which NotCustomerManaged reports. */
function onServiceKey(service: OwnKeyService, subject: AccountSubject, rules: Rules): readonly Found[] {
  const { account, use } = subject;
  if (!use || !ownKeyServices(account).includes(service)) return [];
  return [
    {
      severity: hasToUseKey(subject, rules) ? 'error' : 'advice',
      is: `Its ${service}s are encrypted with a key of Microsoft: a revocation of its own key leaves them readable.`,
      shouldBe: `Its ${service}s are under the key of the account, which is fixed when an account is created.`,
      // One cause for a subscription: its accounts are created by the same templates.
      cause: { about: [`/subscriptions/${account.subscriptionId}`] },
    },
  ];
}

/** A disabled scope counts as removed: its data cannot be read, and Azure deletes no scope. */
function scopeNotCustomerManaged(subject: AccountSubject, rules: Rules): readonly Found[] {
  const { account, platformScopes = [] } = subject;
  if (!hasToUseKey(subject, rules)) return [];
  return platformScopes
    .filter(({ enabled }) => enabled)
    .map(({ name }) => ({
      resource: scopeResource(account.id, name),
      is: `The encryption scope ${name} is on a key of Microsoft: no revocation reaches what is in it.`,
      shouldBe: 'The encryption scopes of an account that has to use a customer-managed key use one too.',
      cause: { about: [account.id] },
    }));
}

const MOVE_DATA =
  'Create another account (`cmk account create` puts both under its key) and move the data there: it cannot be changed on this one. Where there is none to protect, exempt it in CMK_EXEMPTIONS.';

/** Checks of data that the key of an account may not protect. */
export const PROTECTION_CHECKS: readonly Check<AccountSubject>[] = [
  {
    reason: 'QueueOnServiceKey',
    severity: 'error',
    ensures: 'The queues of an account are under its customer-managed key (where none is required: advice).',
    fix: MOVE_DATA,
    find: (subject, rules) => onServiceKey('queue', subject, rules),
  },
  {
    reason: 'TableOnServiceKey',
    severity: 'error',
    ensures: 'The tables of an account are under its customer-managed key (where none is required: advice).',
    fix: MOVE_DATA,
    find: (subject, rules) => onServiceKey('table', subject, rules),
  },
  {
    reason: 'ScopeNotCustomerManaged',
    severity: 'error',
    ensures: 'An encryption scope of an account that has to use a customer-managed key uses one.',
    fix: 'Point it at a key (`az storage account encryption-scope update --key-source Microsoft.KeyVault --key-uri`), or disable it (`--state Disabled`).',
    find: scopeNotCustomerManaged,
  },
];

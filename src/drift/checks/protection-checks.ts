import { scopeResource } from '../../azure/resource-id.ts';
import type { OwnKeyService } from '../../fleet/account.ts';
import { ownKeyServices } from '../../fleet/account.ts';
import { requirementOf, tagOf } from '../../settings/requirement.ts';
import type { Check, Found } from './check.ts';
import { KEY_TAG } from './left-checks.ts';
import type { AccountSubject, Rules } from './subjects.ts';

/** Whether an account must use a customer-managed key, because of its tag or CMK_REQUIRE. */
function hasToUseKey({ account }: AccountSubject, { drift }: Rules): boolean {
  return tagOf(account.tags, KEY_TAG) !== undefined || requirementOf(account, drift.require) !== undefined;
}

/** No finding for an account without a customer-managed key, which NotCustomerManaged reports. */
function onServiceKey(service: OwnKeyService): Check<AccountSubject>['find'] {
  return (subject, rules) => {
    const { account, use } = subject;
    if (!use || !ownKeyServices(account).includes(service)) return undefined;
    return {
      severity: hasToUseKey(subject, rules) ? 'error' : 'advice',
      is: `Its ${service}s are encrypted with a Microsoft-managed key, so a revocation of the account's key leaves them readable.`,
      shouldBe: `Its ${service}s use the key of the account. Azure permits this choice only when an account is created.`,
      // One cause per subscription, because the same templates create its accounts.
      cause: { about: [`/subscriptions/${account.subscriptionId}`] },
    };
  };
}

/** A disabled scope counts as removed: Azure denies reads of its data, and cannot delete scopes. */
function scopeNotCustomerManaged(subject: AccountSubject, rules: Rules): readonly Found[] {
  const { account, platformScopes = [] } = subject;
  const scopes = hasToUseKey(subject, rules) ? platformScopes.filter(({ enabled }) => enabled) : [];
  return scopes.map(({ name }) => ({
    resource: scopeResource(account.id, name),
    is: `The encryption scope ${name} uses a Microsoft-managed key, so no revocation blocks its data.`,
    cause: { about: [account.id] },
  }));
}

const MOVE_DATA =
  'Create another account (`cmk account create` encrypts both with its key) and move the data there. Azure cannot change this on an existing account. If it has no data to protect, exempt it in CMK_EXEMPTIONS.';

/** Checks of data that the key of an account may not protect. */
export const PROTECTION_CHECKS: readonly Check<AccountSubject>[] = [
  {
    reason: 'QueueOnServiceKey',
    severity: 'error',
    ensures: 'The queues of an account use its customer-managed key (advice if none is required).',
    fix: MOVE_DATA,
    find: onServiceKey('queue'),
  },
  {
    reason: 'TableOnServiceKey',
    severity: 'error',
    ensures: 'The tables of an account use its customer-managed key (advice if none is required).',
    fix: MOVE_DATA,
    find: onServiceKey('table'),
  },
  {
    reason: 'ScopeNotCustomerManaged',
    severity: 'error',
    ensures: 'An encryption scope of an account that requires a customer-managed key uses one.',
    fix: 'Point it at a key (`az storage account encryption-scope update --key-source Microsoft.KeyVault --key-uri`), or disable it (`--state Disabled`).',
    find: scopeNotCustomerManaged,
  },
];

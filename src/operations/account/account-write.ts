import { CmkError } from '../../errors.ts';
import type { Account } from '../../fleet/account.ts';
import { accountKeyUse } from '../../fleet/key-use.ts';
import { formatKeyIdentifier } from '../../keys/key-identifier.ts';
import { PROPAGATION_SECONDS } from '../identity/role-ensure.ts';
import type { Operation } from '../operator-azure.ts';
import { patiently } from '../wait-for-propagation.ts';
import type { AccountPlan } from './account-plan.ts';

export interface AccountResult {
  /** ARM id. */
  readonly account: string;
  readonly keySource: string;
  /** Key identifier without a version; undefined with Microsoft-managed keys. */
  readonly key: string | undefined;
  readonly mode: 'pinned' | 'automatic' | undefined;
  /** The version that data is wrapped with, as Storage reports it. */
  readonly version: string | undefined;
}

export function accountResult(account: Account): AccountResult {
  const use = accountKeyUse(account.encryption);
  return {
    account: account.id,
    keySource: account.encryption.keySource ?? 'Microsoft.Storage',
    key: use && formatKeyIdentifier(use),
    mode: use && (use.pinned === undefined ? 'automatic' : 'pinned'),
    version: use?.current ?? use?.pinned,
  };
}

/**
 * Carries out a plan. Storage reads the key while it answers, with the account's identity: a role that was given a
 * moment ago may not count yet, and that is waited for.
 *
 * @param text what it is once it is done
 * @param waitSeconds how long to wait at most
 */
export async function applyPlan(
  account: Account,
  plan: AccountPlan,
  text: string,
  operation: Operation,
  waitSeconds = PROPAGATION_SECONDS,
): Promise<Account> {
  const { azure, journal } = operation;
  if (!plan.write) {
    journal.found(plan.why);
    return account;
  }
  const change = {
    encryption: plan.encryption,
    ...(plan.identity ? { identity: plan.identity } : {}),
    ...(plan.tags ? { tags: plan.tags } : {}),
  };
  const [from, to] = [keyIn(account.encryption), keyIn(plan.encryption)];
  const updated = await journal.change({ text, action: 'account.setKey', resource: account.id, from, to }, () =>
    untilStorageHasAccess(waitSeconds, operation, () => azure.accounts.update(account, change)),
  );
  if (!updated) return account;
  requireSame(plan, updated);
  const version = accountKeyUse(updated.encryption)?.current;
  if (version) journal.found(`${account.name} now uses version ${version}`);
  return updated;
}

/** The key of these settings, with the version that they pin; `Microsoft.Storage` for Microsoft's own. */
function keyIn(encryption: Account['encryption']): string {
  const use = accountKeyUse(encryption);
  if (!use) return 'Microsoft.Storage';
  return [use.vaultUri, 'keys', use.keyName, ...(use.pinned === undefined ? [] : [use.pinned])].join('/');
}

/**
 * Retries until Storage can use the key with the account's identity, or is no longer throttled. A write that may have taken
 * effect is not repeated: another writer may have changed the account by then.
 */
export function untilStorageHasAccess<T>(seconds: number, operation: Operation, attempt: () => Promise<T>): Promise<T> {
  return patiently(
    operation,
    {
      waitingFor: 'the role of the identity to reach Storage',
      seconds,
      mayPass: ({ status, code }) => status === 429 || code === 'KeyVaultAuthenticationFailure',
      nextStep:
        'Run the same command again: what is done stays done. If it stays, look at the role of the identity and at the firewall of the vault.',
    },
    attempt,
  );
}

/** The answer is the proof: it has to show what was written. */
function requireSame({ encryption }: Extract<AccountPlan, { write: true }>, answer: Account): void {
  const [wanted, got] = [encryption, answer.encryption].map(
    ({ keySource, keyVaultProperties: key }) =>
      `${keySource} ${keySource?.toLowerCase() === 'microsoft.keyvault' ? `${key?.keyVaultUri?.replace(/\/$/, '')} ${key?.keyName} ${key?.keyVersion ?? ''}` : ''}`,
  );
  if (wanted?.toLowerCase() === got?.toLowerCase()) return;
  throw new CmkError(
    'NotProven',
    `Azure took the change, but its answer shows: ${got}`,
    `Look at it again: cmk account verify ${answer.name}`,
  );
}

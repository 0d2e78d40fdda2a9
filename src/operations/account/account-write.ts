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
  /** The version that wraps the data, as Storage reports it. */
  readonly version: string | undefined;
}

export function accountResult({ id, encryption }: Account): AccountResult {
  const use = accountKeyUse(encryption);
  return {
    account: id,
    keySource: encryption.keySource ?? 'Microsoft.Storage',
    key: use && formatKeyIdentifier(use),
    mode: use && (use.pinned === undefined ? 'automatic' : 'pinned'),
    version: use?.current ?? use?.pinned,
  };
}

/**
 * Applies a plan, and waits until a new role assignment takes effect: Storage reads the key with the account's identity
 * before it answers.
 *
 * @param text the completed change, for the journal
 * @param waitSeconds longest wait, in seconds
 */
export async function applyPlan(
  account: Account,
  plan: AccountPlan,
  text: string,
  operation: Operation,
  waitSeconds = PROPAGATION_SECONDS,
): Promise<AccountResult> {
  const { azure, journal } = operation;
  if (!plan.write) {
    journal.found(plan.why);
    return accountResult(account);
  }
  const { encryption, identity, tags } = plan;
  const change = { encryption, ...(identity ? { identity } : {}), ...(tags ? { tags } : {}) };
  const [from, to] = [keyIn(account.encryption), keyIn(encryption)];
  const updated = await journal.change({ text, action: 'account.setKey', resource: account.id, from, to }, () =>
    untilStorageHasAccess(waitSeconds, operation, () => azure.accounts.update(account, change)),
  );
  if (!updated) return accountResult(account);
  // The answer must show the change: it is the proof of success.
  const shown = keyIn(updated.encryption);
  if (shown.toLowerCase() !== to.toLowerCase()) {
    const nextStep = `Check the account: cmk account verify ${updated.name}`;
    throw new CmkError('NotProven', `Azure accepted the change, but its answer shows: ${shown}`, nextStep);
  }
  const version = accountKeyUse(updated.encryption)?.current;
  if (version) journal.found(`${account.name} now uses version ${version}`);
  return accountResult(updated);
}

/** The key of these settings, with the pinned version; `Microsoft.Storage` for Microsoft-managed keys. */
function keyIn(encryption: Account['encryption']): string {
  const use = accountKeyUse(encryption);
  return use ? formatKeyIdentifier(use, use.pinned) : 'Microsoft.Storage';
}

/**
 * Retries until Storage can use the key with the account's identity, or is no longer throttled. Does not repeat a write
 * that may have taken effect: another writer may have changed the account since.
 */
export function untilStorageHasAccess<T>(seconds: number, operation: Operation, attempt: () => Promise<T>): Promise<T> {
  return patiently(
    operation,
    {
      waitingFor: 'the role of the identity to reach Storage',
      seconds,
      mayPass: ({ status, code }) => status === 429 || code === 'KeyVaultAuthenticationFailure',
      nextStep:
        'Run the same command again: completed steps stay done. If it fails again, check the role of the identity and the firewall of the vault.',
    },
    attempt,
  );
}

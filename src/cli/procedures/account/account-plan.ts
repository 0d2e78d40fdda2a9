import type { Account, AccountEncryption } from '../../../accounts/account.ts';
import { findAccountKeyUse } from '../../../accounts/key-use.ts';
import type { AccountIdentity } from '../../../accounts/storage-client.ts';
import type { Failure } from '../../../azure/failure.ts';
import { isSameResource } from '../../../azure/resource-id.ts';
import { CmkError } from '../../../errors/errors.ts';
import { formatKeyIdentifier, isSameKeyName, parseVault } from '../../../keys/key-identifier.ts';
import { getUpdateMode, getVersionInUse } from '../../../keys/version-in-use.ts';
import { PROPAGATION_SECONDS } from '../identity/identity-ensure.ts';
import type { KeySource } from '../key/key-source.ts';
import type { Operation } from '../operator-azure.ts';
import { retryPatiently } from '../wait-for-propagation.ts';

type WantedKeyUse = Pick<KeySource, 'vaultUri' | 'keyName' | 'pin'>;

/** Changes to write to an account, or why no change is needed. */
export type AccountPlan =
  | { readonly write: false; readonly why: string }
  | {
      readonly write: true;
      readonly identity?: AccountIdentity | undefined;
      readonly encryption: AccountEncryption;
      /** All tags after the change; undefined: the tags do not change. */
      readonly tags?: Record<string, string>;
    };

/**
 * Plans how an account starts to use a key. An account that already uses the key keeps its mode, unless the operator
 * names a version.
 *
 * @param identity ARM id of the user-assigned identity; undefined: the system-assigned identity
 * @param replaceIdentity allows removing another user-assigned identity: an account can have only one
 * @throws {@link CmkError} for an account that uses another key or another identity
 */
export function planEnable(
  account: Account,
  key: WantedKeyUse,
  identity: string | undefined,
  replaceIdentity: boolean,
): AccountPlan {
  const { name, encryption } = account;
  const use = findAccountKeyUse(encryption);
  if (use && !isKey(use, key)) {
    throw new CmkError(
      'OtherKeyInUse',
      `${name} is encrypted with another key: ${formatKeyIdentifier(use)}.`,
      `Changing the key needs another command: cmk account change-key ${name} --vault <vault> --key ${key.keyName}`,
    );
  }

  const identityNow = encryption.encryptionIdentity?.encryptionUserAssignedIdentity;
  const sameIdentity = identity && identityNow ? isSameResource(identityNow, identity) : !identity && !identityNow;
  const attach = planIdentity(account, identity, replaceIdentity);
  if (use && sameIdentity && !attach && (key.pin === undefined || key.pin === use.pinned)) {
    const mode = use.pinned === undefined ? 'automatic' : `pinned to ${use.pinned}`;
    return { write: false, why: `${name} uses this key already, ${mode}` };
  }

  const pin = key.pin ?? use?.pinned;

  return { write: true, identity: attach, encryption: withKey(encryption, { ...key, pin }, identity) };
}

/**
 * Plans the change to another key. The account keeps its mode, unless the operator names one. The plan replaces a
 * pinned version, because Azure would look for it in the new key (azure-cli#27644).
 */
export function planChangeKey({ name, encryption }: Account, key: WantedKeyUse): AccountPlan {
  const use = findAccountKeyUse(encryption);
  if (!use) {
    throw new CmkError(
      'NotCustomerManaged',
      `${name} uses Microsoft-managed keys: there is no key to change.`,
      `Enable customer-managed keys: cmk account enable ${name} --vault <vault> --key ${key.keyName}`,
    );
  }

  if (isKey(use, key) && use.pinned === key.pin) return { write: false, why: `${name} uses this key already` };
  return { write: true, encryption: { ...encryption, keyVaultProperties: keyProperties(encryption, key) } };
}

/** Plans the return to Microsoft-managed keys. As with `az`, the encryption settings keep the identity. */
export function planDisable(account: Account): AccountPlan {
  if (account.encryption.keySource?.toLowerCase() !== 'microsoft.keyvault') {
    return { write: false, why: `${account.name} uses Microsoft-managed keys already` };
  }
  const { keyVaultProperties: _, ...encryption } = account.encryption;
  return { write: true, encryption: { ...encryption, keySource: 'Microsoft.Storage' } };
}

/** Adds a key to encryption settings, and keeps all other settings. */
export function withKey(
  { encryptionIdentity: before, ...rest }: AccountEncryption,
  key: WantedKeyUse,
  identity: string | undefined,
): AccountEncryption {
  // "" removes an existing identity.
  const chosen = identity ?? (before?.encryptionUserAssignedIdentity ? '' : undefined);

  return {
    ...rest,
    keySource: 'Microsoft.Keyvault',
    keyVaultProperties: keyProperties(rest, key),
    ...(chosen === undefined ? {} : { encryptionIdentity: { encryptionUserAssignedIdentity: chosen } }),
  };
}

function keyProperties(
  { keyVaultProperties: before }: AccountEncryption,
  { vaultUri, keyName, pin }: WantedKeyUse,
): AccountEncryption['keyVaultProperties'] {
  // An account without a version needs no empty value to clear it.
  const clear = before?.keyVersion === undefined ? {} : { keyVersion: '' };
  return { keyVaultUri: vaultUri, keyName, ...(pin === undefined ? clear : { keyVersion: pin }) };
}

/** Changes to write to the identities of an account; undefined if none is needed. */
export function planIdentity(
  { name, userAssignedIdentities: attached, systemPrincipalId }: Account,
  identity: string | undefined,
  replace: boolean,
): AccountIdentity | undefined {
  if (identity === undefined) {
    if (systemPrincipalId) return undefined;
    if (attached.length === 0) return { type: 'SystemAssigned' };

    const kept = Object.fromEntries(attached.map((id) => [id, {}]));

    return { type: 'SystemAssigned,UserAssigned', userAssignedIdentities: kept };
  }

  if (attached.some((id) => isSameResource(id, identity))) return undefined;

  // "Only 1 User Assigned identity is permitted here" (Storage resource provider, Identity).
  if (attached.length > 0 && !replace) {
    throw new CmkError(
      'ArgumentInvalid',
      `${name} has another user-assigned identity, and a storage account can have only one: ${attached.join(', ')}`,
      'Use that identity (--identity), or allow its removal: --replace-identity',
    );
  }

  // `null` removes an identity, although the SDK's type does not include it.
  const userAssignedIdentities = { ...Object.fromEntries(attached.map((id) => [id, null])), [identity]: {} };
  const type = systemPrincipalId ? 'SystemAssigned,UserAssigned' : 'UserAssigned';

  return { type, userAssignedIdentities } as AccountIdentity;
}

export function isKey(use: { vaultUri: string; keyName: string }, key: WantedKeyUse): boolean {
  return parseVault(key.vaultUri)?.vaultUri === use.vaultUri && isSameKeyName(use.keyName, key.keyName);
}

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

export function toAccountResult({ id, encryption }: Account): AccountResult {
  const use = findAccountKeyUse(encryption);
  return {
    account: id,
    keySource: encryption.keySource ?? 'Microsoft.Storage',
    key: use && formatKeyIdentifier(use),
    mode: use && getUpdateMode(use),
    version: use && getVersionInUse(use),
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
    return toAccountResult(account);
  }

  const { encryption, identity, tags } = plan;
  const change = { encryption, ...(identity ? { identity } : {}), ...(tags ? { tags } : {}) };
  const from = keyIn(account.encryption);
  const to = keyIn(encryption);
  const write = (part: typeof change) =>
    retryUntilStorageHasAccess(waitSeconds, operation, () => azure.accounts.update(account, part));
  const updated = await journal.change({ text, action: 'account.setKey', resource: account.id, from, to }, async () => {
    if (!changesIdentityAndKey(account.encryption, encryption)) return write(change);
    // Azure refuses both in one request. The identity comes first, since the former identity may have lost its access.
    const { encryptionIdentity } = encryption;
    const first = { ...account.encryption, ...(encryptionIdentity ? { encryptionIdentity } : {}) };
    await write({ ...change, encryption: first });
    return write({ encryption });
  });
  if (!updated) return toAccountResult(account);

  // The answer must show the change: it is the proof of success.
  const shown = keyIn(updated.encryption);
  if (shown.toLowerCase() !== to.toLowerCase()) {
    const nextStep = `Check the account: cmk account verify ${updated.name}`;
    throw new CmkError('NotProven', `Azure accepted the change, but its answer shows: ${shown}`, nextStep);
  }

  const version = findAccountKeyUse(updated.encryption)?.current;
  if (version) journal.found(`${account.name} now uses version ${version}`);

  return toAccountResult(updated);
}

/** Whether settings with a key change to another identity and to another key or version. */
function changesIdentityAndKey(before: AccountEncryption, after: AccountEncryption): boolean {
  if (!findAccountKeyUse(before) || !findAccountKeyUse(after) || keyIn(before) === keyIn(after)) return false;

  return encryptionIdentityOf(before) !== encryptionIdentityOf(after);
}

function encryptionIdentityOf({ encryptionIdentity }: AccountEncryption): string {
  return encryptionIdentity?.encryptionUserAssignedIdentity?.toLowerCase() ?? '';
}

/** The key of these settings, with the pinned version; `Microsoft.Storage` for Microsoft-managed keys. */
function keyIn(encryption: Account['encryption']): string {
  const use = findAccountKeyUse(encryption);
  return use ? formatKeyIdentifier(use, use.pinned) : 'Microsoft.Storage';
}

/**
 * Retries until Storage can use the key with the account's identity, or is no longer throttled. Does not repeat a write
 * that may have taken effect: another writer may have changed the account since.
 */
export function retryUntilStorageHasAccess<T>(
  seconds: number,
  operation: Operation,
  attempt: () => Promise<T>,
): Promise<T> {
  const waitingFor = 'the role of the identity to reach Storage';
  const nextStep =
    'Run the same command again: completed steps stay done. If it fails again, check the role of the identity and the firewall of the vault.';
  const mayPass = ({ status, code }: Failure) => status === 429 || code === 'KeyVaultAuthenticationFailure';
  return retryPatiently(operation, { waitingFor, seconds, mayPass, nextStep }, attempt);
}

import { sameResource } from '../../azure/resource-id.ts';
import { CmkError } from '../../errors.ts';
import type { Account, AccountEncryption } from '../../fleet/account.ts';
import { accountKeyUse } from '../../fleet/key-use.ts';
import type { AccountIdentity } from '../../fleet/storage-client.ts';
import { formatKeyIdentifier, parseVault, sameKeyName } from '../../keys/key-identifier.ts';

interface WantedKeyUse {
  /** As Azure writes it. */
  readonly vaultUri: string;
  readonly keyName: string;
  /** Version to be held at; undefined: automatic. */
  readonly pin: string | undefined;
}

/** What to write, if anything. */
export type AccountPlan =
  | { readonly write: false; readonly why: string }
  | {
      readonly write: true;
      readonly identity?: AccountIdentity | undefined;
      readonly encryption: AccountEncryption;
      /** All the tags from then on; undefined: they stay. */
      readonly tags?: Record<string, string>;
    };

/**
 * What makes an account use a key. An account that uses the key already stays in the mode it is in, unless a version is
 * asked for.
 *
 * @param identity ARM id of the user-assigned identity; undefined: the system-assigned one
 * @param replaceIdentity whether another user-assigned identity may be taken off the account, which holds only one
 * @throws {@link CmkError} for an account that uses another key, or holds another identity
 */
export function planEnable(
  account: Account,
  key: WantedKeyUse,
  identity: string | undefined,
  replaceIdentity: boolean,
): AccountPlan {
  const { name, encryption } = account;
  const use = accountKeyUse(encryption);
  if (use && !isKey(use, key)) {
    throw new CmkError(
      'OtherKeyInUse',
      `${name} is encrypted with another key: ${formatKeyIdentifier(use)}.`,
      `Changing the key is a step of its own: cmk account change-key ${name} --vault <vault> --key ${key.keyName}`,
    );
  }
  const identityNow = encryption.encryptionIdentity?.encryptionUserAssignedIdentity;
  const sameIdentity = identity && identityNow ? sameResource(identityNow, identity) : !identity && !identityNow;
  const attach = attachIdentity(account, identity, replaceIdentity);
  if (use && sameIdentity && !attach && (key.pin === undefined || key.pin === use.pinned)) {
    const mode = use.pinned === undefined ? 'automatic' : `pinned to ${use.pinned}`;
    return { write: false, why: `${name} uses this key already, ${mode}` };
  }
  const pin = key.pin ?? use?.pinned;
  return { write: true, identity: attach, encryption: withKey(encryption, { ...key, pin }, identity) };
}

/**
 * Another key for an account that has one. It keeps its mode, unless one is asked for: a pinned version is a version of
 * the old key and has to go with it, or Azure looks for it in the new one (azure-cli#27644).
 */
export function planChangeKey({ name, encryption }: Account, key: WantedKeyUse): AccountPlan {
  const use = accountKeyUse(encryption);
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

/** Back to Microsoft-managed keys; the identity of the encryption settings stays, as with `az`. */
export function planDisable(account: Account): AccountPlan {
  if (account.encryption.keySource?.toLowerCase() !== 'microsoft.keyvault') {
    return { write: false, why: `${account.name} uses Microsoft-managed keys already` };
  }
  const { keyVaultProperties: _, ...encryption } = account.encryption;
  return { write: true, encryption: { ...encryption, keySource: 'Microsoft.Storage' } };
}

/** The settings of an account that is to use a key, the rest of them as they are. */
export function withKey(
  { encryptionIdentity: before, ...rest }: AccountEncryption,
  key: WantedKeyUse,
  identity: string | undefined,
): AccountEncryption {
  // "" takes one away that is there.
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
  // Without a version there is nothing to clear on an account that never had one.
  const clear = before?.keyVersion === undefined ? {} : { keyVersion: '' };
  return { keyVaultUri: vaultUri, keyName, ...(pin === undefined ? clear : { keyVersion: pin }) };
}

/** What to write to the identities of an account; undefined when nothing has to be. */
export function attachIdentity(
  { name, userAssignedIdentities: attached, systemPrincipalId }: Account,
  identity: string | undefined,
  replace: boolean,
): AccountIdentity | undefined {
  if (identity === undefined) {
    if (systemPrincipalId) return undefined;
    const kept = Object.fromEntries(attached.map((id) => [id, {}]));
    return attached.length === 0
      ? { type: 'SystemAssigned' }
      : { type: 'SystemAssigned,UserAssigned', userAssignedIdentities: kept };
  }
  if (attached.some((id) => sameResource(id, identity))) return undefined;
  // "Only 1 User Assigned identity is permitted here" (Storage resource provider, Identity).
  if (attached.length > 0 && !replace) {
    throw new CmkError(
      'ArgumentInvalid',
      `${name} has another user-assigned identity, and a storage account holds only one: ${attached.join(', ')}`,
      'Use that one (--identity), or let it be taken off: --replace-identity',
    );
  }
  const taken = attached.map((id) => [id, null] as const);
  return {
    type: systemPrincipalId ? 'SystemAssigned,UserAssigned' : 'UserAssigned',
    // `null` takes an identity off; the SDK's type does not say so.
    userAssignedIdentities: { ...Object.fromEntries(taken), [identity]: {} } as NonNullable<
      AccountIdentity['userAssignedIdentities']
    >,
  };
}

export function isKey(use: { vaultUri: string; keyName: string }, key: WantedKeyUse): boolean {
  return parseVault(key.vaultUri)?.vaultUri === use.vaultUri && sameKeyName(use.keyName, key.keyName);
}

import { scopePart } from '../accounts/scope-part.ts';
import type { ScopeStates } from '../accounts/scope-state-client.ts';
import { unlessMissing } from '../azure/failure.ts';
import type { ResourceId } from '../azure/resource-id.ts';
import type { Account } from '../fleet/account.ts';
import { accountKeyUse, type KeyUse, scopeKeyUse } from '../fleet/key-use.ts';
import type { StorageAccounts } from '../fleet/storage-client.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { AccountPart } from '../revocation/account-part.ts';
import { type RevokedPart, scopeOfPart } from '../revocation/account-record.ts';
import type { AccountPlace } from '../revocation/account-revocation.ts';
import { type IdentityPartServices, identityPart } from './identity-part.ts';

export interface RevocableServices extends IdentityPartServices {
  readonly accounts: Pick<StorageAccounts, 'get' | 'getScope'>;
  readonly scopeStates: ScopeStates;
}

/** A part of an account that uses a key, as it was read just now. */
export interface Revocable {
  readonly account: Account;
  readonly key: ManagedKey;
  readonly part: AccountPart;
  readonly place: AccountPlace;
}

/**
 * An account's identity, or one of its encryption scopes, with the key that it uses.
 *
 * @param keyOf the key that a use is of; undefined where that is nobody's matter
 * @returns undefined when there is no such account or scope, or it uses no such key
 */
export async function readRevocable(
  id: ResourceId,
  part: RevokedPart,
  keyOf: (use: KeyUse) => ManagedKey | undefined,
  services: RevocableServices,
): Promise<Revocable | undefined> {
  const { accounts } = services;
  const account = await unlessMissing(() => accounts.get(id));
  if (!account) return undefined;
  const place = (key: ManagedKey): AccountPlace => ({ location: account.location, key: key.id });
  const named = scopeOfPart(part);
  if (named === undefined) {
    const use = accountKeyUse(account.encryption);
    const key = use && keyOf(use);
    return key && { account, key, place: place(key), part: identityPart(account, key, services) };
  }
  const scope = await unlessMissing(() => accounts.getScope(id, named));
  const use = scope && scopeKeyUse(scope);
  const key = use && keyOf(use);
  return key && { account, key, place: place(key), part: scopePart(account, scope.name, services) };
}

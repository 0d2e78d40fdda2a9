import type { IdentityBlock, StorageEncryption, World } from '../world.ts';

/** The identity that unwraps the key for a storage account. */
export type EncryptionIdentity =
  | { readonly kind: 'principal'; readonly principalId: string }
  /**
   * A multi-tenant application with a federated credential. Its roles are unreadable, since its tenant is not this one.
   */
  | { readonly kind: 'crossTenant' }
  | { readonly kind: 'none'; readonly message: string };

/** The user-assigned identity that `encryption.identity` names, else the system-assigned one. */
export function encryptionIdentity(
  world: World,
  identity: IdentityBlock | undefined,
  encryption: Pick<StorageEncryption, 'identity'>,
): EncryptionIdentity {
  const id = encryption.identity?.userAssignedIdentity;
  if (!id) {
    return identity?.principalId
      ? { kind: 'principal', principalId: identity.principalId }
      : { kind: 'none', message: 'Managed Service Identity (MSI) is not set for this account.' };
  }

  const attached = Object.entries(identity?.userAssignedIdentities ?? {}).find(([key]) => sameId(key, id));
  if (!attached) {
    return { kind: 'none', message: `The user assigned identity '${id}' is not assigned to this account.` };
  }
  if (encryption.identity?.federatedIdentityClientId) return { kind: 'crossTenant' };

  // A deleted identity stays in the account's list, but gets no token. One with the same name is another principal,
  // which the account has only after it is detached and attached again.
  const { principalId } = attached[1];

  return world.identities.get(id.toLowerCase())?.principalId === principalId
    ? { kind: 'principal', principalId }
    : { kind: 'none', message: `The user assigned identity '${id}' does not exist.` };
}

/** Compares ARM ids without regard to case. */
export function sameId(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

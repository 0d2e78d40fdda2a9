import type { IdentityBlock, StorageEncryption, World } from '../world.ts';

/** Who unwraps the key for a storage account. */
export type EncryptionIdentity =
  | { readonly kind: 'principal'; readonly principalId: string }
  /** A multi-tenant application with a federated credential: its tenant is not this one, so its roles cannot be read. */
  | { readonly kind: 'crossTenant' }
  | { readonly kind: 'none'; readonly message: string };

/** Whose access counts: the user-assigned identity that `encryption.identity` names, else the system-assigned one. */
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

  // An identity that was deleted stays listed on the account, but no longer gets a token. One made again under its name is
  // another principal, which the account does not have until it is taken off and attached anew.
  const { principalId } = attached[1];

  return world.identities.get(id.toLowerCase())?.principalId === principalId
    ? { kind: 'principal', principalId }
    : { kind: 'none', message: `The user assigned identity '${id}' does not exist.` };
}

/** ARM ids are compared without regard to case. */
export function sameId(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

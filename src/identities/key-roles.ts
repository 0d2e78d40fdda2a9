import { STORAGE_KEY_ROLE } from './key-access.ts';

/** A built-in role that the procedures hand out. */
export interface KeyRole {
  readonly name: string;
  /** Azure, "Azure built-in roles for Security". */
  readonly id: string;
  /** What whoever has it, or has another role as good, may do. */
  readonly dataActions: readonly string[];
}

/** Creates and manages keys: for people. */
export const CRYPTO_OFFICER: KeyRole = {
  name: 'Key Vault Crypto Officer',
  id: '14b46e9e-c2b7-41b4-b07b-48a6ebf60603',
  dataActions: [
    'Microsoft.KeyVault/vaults/keys/read',
    'Microsoft.KeyVault/vaults/keys/create/action',
    'Microsoft.KeyVault/vaults/keys/import/action',
    'Microsoft.KeyVault/vaults/keys/update/action',
    'Microsoft.KeyVault/vaults/keys/rotate/action',
    'Microsoft.KeyVault/vaults/keyrotationpolicies/write',
  ],
};

/** Reads, wraps and unwraps: for the identity of a storage account. */
export const ENCRYPTION_USER: KeyRole = {
  name: STORAGE_KEY_ROLE,
  id: 'e147488a-f6f5-4113-8e2d-b22465e65bf6',
  dataActions: [
    'Microsoft.KeyVault/vaults/keys/read',
    'Microsoft.KeyVault/vaults/keys/wrap/action',
    'Microsoft.KeyVault/vaults/keys/unwrap/action',
  ],
};

/** The same in a Managed HSM ("Local RBAC built-in roles"): what Storage needs, and all that one does with keys but recover and purge. */
export const LOCAL_ENCRYPTION_USER = 'Managed HSM Crypto Service Encryption User';
export const LOCAL_CRYPTO_USER = 'Managed HSM Crypto User';

/** ARM id of a built-in role, as it is named in a subscription. */
export function roleDefinitionId(subscriptionId: string | undefined, roleId: string): string {
  return `/subscriptions/${subscriptionId}/providers/Microsoft.Authorization/roleDefinitions/${roleId}`;
}

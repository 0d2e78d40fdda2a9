import { LOCAL_KEYS } from '../keys/key-rights.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';

export interface KeyRole {
  readonly name: string;
  /** Azure, "Azure built-in roles for Security". */
  readonly id: string;
  /** Data actions of the role. Another role with all of them is equivalent. */
  readonly dataActions: readonly string[];
  /** The equivalent local role of a Managed HSM ("Local RBAC built-in roles"). */
  readonly local: Pick<KeyRole, 'name' | 'id' | 'dataActions'>;
}

/** Role of operators: creates and manages keys. */
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
  // The Managed HSM Crypto Officer manages roles, but cannot create keys.
  local: {
    name: 'Managed HSM Crypto User',
    id: '21dbd100-6940-42c2-9190-5d6cb909625b',
    dataActions: ['read/action', 'create', 'import/action', 'write/action', 'rotate/action'].map(
      (action) => `${LOCAL_KEYS}/${action}`,
    ),
  },
};

/** Lets Storage read, wrap and unwrap with a key ("Customer-managed keys overview"). */
export const ENCRYPTION_USER: KeyRole = {
  name: 'Key Vault Crypto Service Encryption User',
  id: 'e147488a-f6f5-4113-8e2d-b22465e65bf6',
  dataActions: [
    'Microsoft.KeyVault/vaults/keys/read',
    'Microsoft.KeyVault/vaults/keys/wrap/action',
    'Microsoft.KeyVault/vaults/keys/unwrap/action',
  ],
  local: {
    name: 'Managed HSM Crypto Service Encryption User',
    id: '33413926-3206-4cdd-b39a-83574fe37a17',
    dataActions: ['read', 'wrap', 'unwrap'].map((action) => `${LOCAL_KEYS}/${action}/action`),
  },
};

/** The equivalent key permissions of an access policy. */
export const STORAGE_PERMISSIONS: readonly string[] = ['get', 'wrapKey', 'unwrapKey'];

/** Name of a role in a vault or a Managed HSM. */
export function getRoleName(role: KeyRole, { kind }: Pick<ManagedVault, 'kind'>): string {
  return kind === 'managedHsm' ? role.local.name : role.name;
}

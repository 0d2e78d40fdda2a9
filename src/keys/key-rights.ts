import type { ManagedVault } from './managed-vaults.ts';

/** Prefix of the data actions on the keys of a Managed HSM ("Local RBAC built-in roles"). */
export const LOCAL_KEYS = 'Microsoft.KeyVault/managedHsm/keys';

/** The permission to read a vault or a Managed HSM through Azure Resource Manager. */
export function readVaultRight({ kind }: Pick<ManagedVault, 'kind'>): string {
  return `Microsoft.KeyVault/${kind === 'vault' ? 'vaults' : 'managedHSMs'}/read`;
}

/** The permission to read keys and their versions, as a vault or a Managed HSM names it. */
export function readKeysRight({ kind }: Pick<ManagedVault, 'kind'>): string {
  return kind === 'vault' ? 'Microsoft.KeyVault/vaults/keys/read' : `${LOCAL_KEYS}/read/action`;
}

/** The permission to read rotation policies. In a Managed HSM they are part of the key. */
export function readPolicyRight({ kind }: Pick<ManagedVault, 'kind'>): string {
  return kind === 'vault' ? 'Microsoft.KeyVault/vaults/keyrotationpolicies/read' : `${LOCAL_KEYS}/read/action`;
}

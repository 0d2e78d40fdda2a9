import type { ManagedVault } from './managed-vaults.ts';

/** What the data actions on the keys of a Managed HSM begin with ("Local RBAC built-in roles"). */
export const LOCAL_KEYS = 'Microsoft.KeyVault/managedHsm/keys';

/** The right by which Azure Resource Manager shows a vault, or a Managed HSM. */
export function readVaultRight({ kind }: Pick<ManagedVault, 'kind'>): string {
  return `Microsoft.KeyVault/${kind === 'vault' ? 'vaults' : 'managedHSMs'}/read`;
}

/** The right by which keys and their versions are read, by its name in a vault or a Managed HSM. */
export function readKeysRight({ kind }: Pick<ManagedVault, 'kind'>): string {
  return kind === 'vault' ? 'Microsoft.KeyVault/vaults/keys/read' : `${LOCAL_KEYS}/read/action`;
}

/** Likewise rotation policies: to a Managed HSM they are a part of the key. */
export function readPolicyRight({ kind }: Pick<ManagedVault, 'kind'>): string {
  return kind === 'vault' ? 'Microsoft.KeyVault/vaults/keyrotationpolicies/read' : `${LOCAL_KEYS}/read/action`;
}

import type { ManagedVault } from './managed-vaults.ts';

// Options that name a vault. A vault and a Managed HSM may have the same name.

type Named = Pick<ManagedVault, 'kind' | 'name'>;

/** Option of this app's CLI: `--vault kv-files`, `--hsm hsm-local`. */
export function formatVaultOption({ kind, name }: Named): string {
  return `${kind === 'vault' ? '--vault' : '--hsm'} ${name}`;
}

/** The option of `az keyvault key …`. */
export function getAzVaultOption({ kind }: Pick<Named, 'kind'>): '--vault-name' | '--hsm-name' {
  return kind === 'vault' ? '--vault-name' : '--hsm-name';
}

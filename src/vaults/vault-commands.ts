import { shellCommand } from '../azure/shell-command.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';

// What mends a vault, filled in, to be copied into a shell; undefined for a Managed HSM, which has other commands.

const ofVault = ({ name, resourceGroup, subscriptionId }: ManagedVault) =>
  [
    ['--name', name],
    ['--resource-group', resourceGroup],
    ['--subscription', subscriptionId],
  ] as const;

export function recoverVault(vault: ManagedVault): string | undefined {
  return vault.kind === 'vault' ? shellCommand('az keyvault recover', ofVault(vault)) : undefined;
}

export function protectVault(vault: ManagedVault): string | undefined {
  return vault.kind === 'vault'
    ? shellCommand('az keyvault update --enable-purge-protection true', ofVault(vault))
    : undefined;
}

export function letStorageIn(vault: ManagedVault): string | undefined {
  return vault.kind === 'vault' ? shellCommand('az keyvault update --bypass AzureServices', ofVault(vault)) : undefined;
}

/** Lets an identity do what Storage does with the keys of a vault that goes by access policies. */
export function addStoragePolicy(principalId: string, vault: ManagedVault): string | undefined {
  return shellCommand('az keyvault set-policy --key-permissions get wrapKey unwrapKey', [
    ['--object-id', principalId],
    ...ofVault(vault),
  ]);
}

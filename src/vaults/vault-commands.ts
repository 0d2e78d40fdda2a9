import { createShellCommand, type ShellCommand } from '../azure/shell-command.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';

// Commands that repair a vault or a Managed HSM, complete for a shell.

type Placed = Pick<ManagedVault, 'kind' | 'name' | 'resourceGroup' | 'subscriptionId'>;

const ofVault = ({ kind, name, resourceGroup, subscriptionId }: Placed) =>
  [
    [kind === 'vault' ? '--name' : '--hsm-name', name],
    ['--resource-group', resourceGroup],
    ['--subscription', subscriptionId],
  ] as const;

/** `az keyvault update` with the option to set. */
function update(vault: Placed, what: string): ShellCommand {
  return createShellCommand(`az keyvault ${vault.kind === 'vault' ? 'update' : 'update-hsm'} ${what}`, ofVault(vault));
}

export function recoverVault(vault: Placed): ShellCommand {
  return createShellCommand('az keyvault recover', ofVault(vault));
}

export function formatProtectVault(vault: Placed): ShellCommand {
  return update(vault, '--enable-purge-protection true');
}

export function formatLetStorageIn(vault: Placed): ShellCommand {
  return update(vault, '--bypass AzureServices');
}

import type { Cloud } from '../../azure/cloud.ts';
import { commandOr } from '../../azure/shell-command.ts';
import { ManagedVaults, managedVault } from '../../keys/managed-vaults.ts';
import type { Environment } from '../../settings/settings.ts';
import { storageHindrance, type Vault } from '../../vaults/vault-client.ts';
import { letStorageIn } from '../../vaults/vault-commands.ts';
import type { Operation } from '../operator-azure.ts';

/** Notes, once and before the first change, settings of a vault that will cause failures later. */
export function noteVault(vault: Vault, { azure, journal, environment }: Operation): void {
  const notes: string[] = [];
  const managed = appVaults(environment, azure.cloud);
  if (managed && !managed.byId(vault.id)) {
    notes.push(
      `${vault.name} is not among CMK_VAULTS: the app does not manage its keys, and moves no account that uses them.`,
    );
  }
  const hindrance = storageHindrance(vault.network);
  if (hindrance) {
    const command = commandOr(letStorageIn(vault), 'az keyvault update --bypass AzureServices');
    notes.push(`${vault.name}: ${hindrance.is}${hindrance.certain ? ` Allow them: ${command}` : ''}`);
  }
  for (const text of notes) if (!journal.entries.some((entry) => entry.text === text)) journal.note(text);
}

/** The vaults that the app manages, if the operator's environment names them; undefined: unknown. */
export function appVaults(environment: Environment | undefined, cloud: Cloud): ManagedVaults | undefined {
  const named = (environment?.CMK_VAULTS ?? '').split(/[\s,;]+/).filter((one) => one !== '');
  return named.length > 0 ? new ManagedVaults(named.flatMap((id) => managedVault(id, cloud) ?? [])) : undefined;
}

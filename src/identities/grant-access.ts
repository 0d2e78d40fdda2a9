import { type ShellCommand, shellCommand } from '../azure/shell-command.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';
import { addStoragePolicy, grantLocalRole } from '../vaults/vault-commands.ts';
import { type KeyAccess, STORAGE_KEY_ROLE } from './key-access.ts';
import { ENCRYPTION_USER } from './key-roles.ts';

/** Gives an identity what Storage needs, on the whole vault: a command to be copied into a shell. The app never does it. */
export function grantAccess(
  principalId: string | undefined,
  vault: ManagedVault,
  by: KeyAccess['by'],
): ShellCommand | undefined {
  if (principalId === undefined) return undefined;
  if (by === 'local') return grantLocalRole(ENCRYPTION_USER.local.name, principalId, vault.name, undefined);
  return by === 'accessPolicies'
    ? addStoragePolicy(principalId, vault)
    : shellCommand('az role assignment create', [
        ['--assignee-object-id', principalId],
        ['--assignee-principal-type', 'ServicePrincipal'],
        ['--role', STORAGE_KEY_ROLE],
        ['--scope', vault.id],
      ]);
}

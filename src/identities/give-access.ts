import { shellCommand } from '../azure/shell-command.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';
import { addStoragePolicy } from '../vaults/vault-commands.ts';
import { STORAGE_KEY_ROLE } from './key-access.ts';

/** Gives an identity what Storage needs, on the whole vault: a command to be copied into a shell. The app never does it. */
export function giveAccess(
  principalId: string | undefined,
  vault: ManagedVault,
  by: 'rbac' | 'accessPolicies' | undefined,
): string | undefined {
  if (principalId === undefined) return undefined;
  return by === 'accessPolicies'
    ? addStoragePolicy(principalId, vault)
    : shellCommand('az role assignment create', [
        ['--assignee-object-id', principalId],
        ['--assignee-principal-type', 'ServicePrincipal'],
        ['--role', STORAGE_KEY_ROLE],
        ['--scope', vault.id],
      ]);
}

import { createShellCommand, type ShellCommand } from '../azure/shell-command.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';
import type { KeyAccess } from './key-access.ts';
import { ENCRYPTION_USER, type KeyRole } from './key-roles.ts';

/** A role other than the one that Storage needs on a whole vault. */
interface OtherGrant {
  readonly role?: KeyRole;
  /** Name of the key to which the role is limited. */
  readonly key?: string | undefined;
  readonly principalType?: 'User' | 'ServicePrincipal';
}

/**
 * Returns the shell command that grants a principal the role that Storage needs, or another role. The app never runs
 * it.
 */
export function grantAccess(
  principalId: string | undefined,
  vault: ManagedVault,
  by: KeyAccess['by'],
  { role = ENCRYPTION_USER, key, principalType = 'ServicePrincipal' }: OtherGrant = {},
): ShellCommand | undefined {
  if (principalId === undefined) return undefined;

  if (by === 'accessPolicies') {
    // `az keyvault set-policy` would replace the other key permissions of the principal.
    return createShellCommand('cmk admin grant-role', [
      ['--assignee', principalId],
      ['--vault', vault.id],
    ]);
  }

  const assignee = [
    ['--assignee-object-id', principalId],
    ['--assignee-principal-type', principalType],
  ] as const;

  if (by === 'local') {
    return createShellCommand('az keyvault role assignment create', [
      ['--hsm-name', vault.name],
      ['--role', role.local.name],
      ...assignee,
      ['--scope', key === undefined ? '/keys' : `/keys/${key}`],
    ]);
  }

  const scope = key === undefined ? vault.id : `${vault.id}/keys/${key}`;

  return createShellCommand('az role assignment create', [...assignee, ['--role', role.name], ['--scope', scope]]);
}

import { lastName } from '../../azure/resource-id.ts';
import { shellCommand } from '../../azure/shell-command.ts';
import type { Account } from '../../fleet/account.ts';
import type { KeyVersion } from '../../keys/key-versions.ts';
import type { ManagedKey, ManagedVault } from '../../keys/managed-vaults.ts';
import { azVaultOption } from '../../keys/vault-options.ts';

// What mends a finding, filled in, to be copied into a shell. Nothing that a tag says becomes part of one: whoever may
// write a tag would choose what an operator does.

export function enableVersion({ id }: KeyVersion): string | undefined {
  return shellCommand('az keyvault key set-attributes --enabled true', [['--id', id]]);
}

export function rotate({ id }: ManagedKey): string | undefined {
  return shellCommand('cmk key rotate', [['', id]]);
}

export function recoverKey({ name, vault }: ManagedKey): string | undefined {
  return shellCommand('az keyvault key recover', [
    [azVaultOption(vault), vault.name],
    ['--name', name],
  ]);
}

export function lockVault({ id, name }: ManagedVault): string | undefined {
  return shellCommand('az lock create --lock-type CanNotDelete', [
    ['--name', `cmk-${name}`],
    ['--resource', id],
  ]);
}

/** Adds to what a version may do; what it may do already stays. */
export function allowOperations({ id }: KeyVersion, operations: readonly string[]): string | undefined {
  return shellCommand('az keyvault key set-attributes', [
    ['--id', id],
    ...operations.map((operation, index) => [index === 0 ? '--ops' : '', operation] as const),
  ]);
}

/** Has rotations make versions that live so long; what rotates the key, and when, stays. */
export function setLifetime({ id }: ManagedKey, days: number): string | undefined {
  return shellCommand('cmk key ensure', [
    ['', id],
    ['--version-lifetime', `P${days}D`],
  ]);
}

/** For the owner of the policy. Names of exemptions have 64 characters at most. */
export function exemptVault(
  { id }: ManagedVault,
  assignmentId: string,
  reference: string | undefined,
): string | undefined {
  const assignment = lastName(assignmentId);
  return shellCommand('az policy exemption create --exemption-category Waiver', [
    ['--name', `cmk-${assignment}${reference ? `-${reference}` : ''}`.slice(0, 64)],
    ['--policy-assignment', assignmentId],
    ...(reference ? ([['--policy-definition-reference-ids', reference]] as const) : []),
    ['--scope', id],
  ]);
}

export function deliverEvents({ id }: ManagedVault): string | undefined {
  return shellCommand('cmk events ensure', [['--vault', id]]);
}

/** Moves a pinned account to the newest version of its key. */
export function moveAccount({ id }: Account): string | undefined {
  return shellCommand('cmk account pin', [['', id]]);
}

/** Has an account use a key with the identity that its encryption settings name; in the mode that it was in. */
export function encryptAccount(
  { id }: Account,
  { name, vault }: ManagedKey,
  identity: string | undefined,
  pinned = false,
): string | undefined {
  return shellCommand('cmk account enable', [
    ['', id],
    ['--vault', vault.id],
    ['--key', name],
    ...(identity === undefined ? [] : ([['--identity', identity]] as const)),
    ...(pinned ? ([['--pin', 'newest']] as const) : []),
  ]);
}

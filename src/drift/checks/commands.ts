import type { Account } from '../../accounts/account.ts';
import { getKnown } from '../../azure/read-or-why.ts';
import { createShellCommand, joinCommands, type ShellCommand } from '../../azure/shell-command.ts';
import type { WantedSubscription } from '../../events/subscription.ts';
import type { KeyVersion } from '../../keys/key-versions.ts';
import type { ManagedKey, ManagedVault } from '../../keys/managed-vaults.ts';
import { getAzVaultOption } from '../../keys/vault-options.ts';
import type { KeySubject } from './subjects.ts';

/** Default lifetime that `cmk` sets for a new key. */
export const USUAL_LIFETIME_DAYS = 730;

// Complete shell commands that repair a finding. They contain no tag values. Otherwise a writer of tags could choose
// what an operator runs.

/**
 * Sets a rotation policy first if a Managed HSM key has none, because a rotation requires one ("Configure key
 * autorotation").
 *
 * @param isYoung whether the newest version is so young that the command needs `--if-older-than PT0S`
 */
export function formatRotate({ key, policy }: Pick<KeySubject, 'key' | 'policy'>, isYoung = false): ShellCommand {
  const command = createShellCommand('cmk key rotate', [
    ['', key.id],
    ...(isYoung ? ([['--if-older-than', 'PT0S']] as const) : []),
  ]);
  const rotation = getKnown(policy);
  const lacksPolicy = rotation && !rotation.rotates && !rotation.expiresIn && !rotation.notifyBeforeExpiry;
  if (key.vault.kind === 'vault' || !lacksPolicy) return command;
  return joinCommands(formatSetLifetime(key, USUAL_LIFETIME_DAYS), command);
}

export function formatRecoverKey({ name, vault }: ManagedKey): ShellCommand {
  return createShellCommand('az keyvault key recover', [
    [getAzVaultOption(vault), vault.name],
    ['--name', name],
  ]);
}

export function formatLockVault({ id, name }: ManagedVault): ShellCommand {
  return createShellCommand('az lock create --lock-type CanNotDelete', [
    ['--name', `cmk-${name}`],
    ['--resource', id],
  ]);
}

/** Adds permitted operations to a version, and keeps the existing operations. */
export function formatAllowOperations({ id }: KeyVersion, operations: readonly string[]): ShellCommand {
  return createShellCommand('az keyvault key set-attributes', [
    ['--id', id],
    ...operations.map((operation, index) => [index === 0 ? '--ops' : '', operation] as const),
  ]);
}

/** Sets the lifetime of rotated versions, and keeps the rotation schedule. */
export function formatSetLifetime({ id }: ManagedKey, days: number): ShellCommand {
  return createShellCommand('cmk key ensure', [
    ['', id],
    ['--version-lifetime', `P${days}D`],
  ]);
}

/** Names the app and its storage, because the operator's shell lacks the app's settings. */
export function deliverEvents({ id }: ManagedVault, { functionId, deadLetter }: WantedSubscription): ShellCommand {
  return createShellCommand('cmk admin ensure-events', [['--vault', id], ...destinationOf({ functionId, deadLetter })]);
}

/**
 * Subscribes the app to Resource Manager's events of a subscription. @param wanted any of them: they differ only in
 * operations
 */
export function watchChanges(subscription: string, wanted: WantedSubscription): ShellCommand {
  const [own] = wanted.filters.find(({ operatorType }) => operatorType === 'StringNotIn')?.values ?? [];
  return createShellCommand('cmk admin watch-changes', [
    ['', subscription],
    ...destinationOf(wanted),
    ...(own === undefined ? [] : ([['--client-id', own]] as const)),
  ]);
}

function destinationOf({ functionId, deadLetter }: Pick<WantedSubscription, 'functionId' | 'deadLetter'>) {
  return [
    ['--function-app', functionId.slice(0, functionId.lastIndexOf('/functions/'))],
    ...(deadLetter ? ([['--storage', deadLetter.storageAccountId]] as const) : []),
  ] as const;
}

/** Moves a pinned account to the newest version of its key. */
export function formatMoveAccount({ id }: Account): ShellCommand {
  return createShellCommand('cmk account pin', [['', id]]);
}

/** Releases a contested account, so that the app repairs it again. */
export function formatReleaseContested({ id }: Account): ShellCommand {
  return createShellCommand('cmk drift release', [
    ['', id],
    ['--reason', 'The other party has stopped'],
  ]);
}

/** Configures an account to use a key with its current identity, in its previous mode. */
export function formatEncryptAccount(
  { id }: Account,
  { name, vault }: ManagedKey,
  identity: string | undefined,
  pinned = false,
): ShellCommand {
  return createShellCommand('cmk account enable', [
    ['', id],
    ['--vault', vault.id],
    ['--key', name],
    ...(identity === undefined ? [] : ([['--identity', identity]] as const)),
    ...(pinned ? ([['--pin', 'newest']] as const) : []),
  ]);
}

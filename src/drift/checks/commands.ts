import { known } from '../../azure/read-or-why.ts';
import { lastName } from '../../azure/resource-id.ts';
import { inSequence, type ShellCommand, shellCommand } from '../../azure/shell-command.ts';
import type { WantedSubscription } from '../../events/subscription.ts';
import type { Account } from '../../fleet/account.ts';
import type { KeyVersion } from '../../keys/key-versions.ts';
import type { ManagedKey, ManagedVault } from '../../keys/managed-vaults.ts';
import { azVaultOption } from '../../keys/vault-options.ts';
import type { KeySubject } from './subjects.ts';

/** What `cmk` gives a new key. */
export const USUAL_LIFETIME_DAYS = 730;

// Commands that repair a finding, filled in, to copy into a shell. They contain no tag values: otherwise a writer of tags
// would choose what an operator runs.

export function enableVersion({ id }: KeyVersion): ShellCommand {
  return shellCommand('az keyvault key set-attributes --enabled true', [['--id', id]]);
}

/**
 * Sets a rotation policy first where a Managed HSM has none, since it rotates no key without ("Configure key autorotation").
 *
 * @param isYoung the newest version is so young that the command would make no other without `--if-older-than PT0S`
 */
export function rotate({ key, policy }: Pick<KeySubject, 'key' | 'policy'>, isYoung = false): ShellCommand {
  const command = shellCommand('cmk key rotate', [
    ['', key.id],
    ...(isYoung ? ([['--if-older-than', 'PT0S']] as const) : []),
  ]);
  const rotation = known(policy);
  const lacksPolicy = rotation && !rotation.rotates && !rotation.expiresIn && !rotation.notifyBeforeExpiry;
  if (key.vault.kind === 'vault' || !lacksPolicy) return command;
  return inSequence(setLifetime(key, USUAL_LIFETIME_DAYS), command);
}

export function recoverKey({ name, vault }: ManagedKey): ShellCommand {
  return shellCommand('az keyvault key recover', [
    [azVaultOption(vault), vault.name],
    ['--name', name],
  ]);
}

export function lockVault({ id, name }: ManagedVault): ShellCommand {
  return shellCommand('az lock create --lock-type CanNotDelete', [
    ['--name', `cmk-${name}`],
    ['--resource', id],
  ]);
}

/** Adds to what a version may do; what it may do already stays. */
export function allowOperations({ id }: KeyVersion, operations: readonly string[]): ShellCommand {
  return shellCommand('az keyvault key set-attributes', [
    ['--id', id],
    ...operations.map((operation, index) => [index === 0 ? '--ops' : '', operation] as const),
  ]);
}

/** Has rotations make versions that live so long; what rotates the key, and when, stays. */
export function setLifetime({ id }: ManagedKey, days: number): ShellCommand {
  return shellCommand('cmk key ensure', [
    ['', id],
    ['--version-lifetime', `P${days}D`],
  ]);
}

/** For the owner of the policy. Names of exemptions have 64 characters at most. */
export function exemptVault({ id }: ManagedVault, assignmentId: string, reference: string | undefined): ShellCommand {
  const assignment = lastName(assignmentId);
  return shellCommand('az policy exemption create --exemption-category Waiver', [
    ['--name', `cmk-${assignment}${reference ? `-${reference}` : ''}`.slice(0, 64)],
    ['--policy-assignment', assignmentId],
    ...(reference ? ([['--policy-definition-reference-ids', reference]] as const) : []),
    ['--scope', id],
  ]);
}

/** Names the app and its storage, since the operator who runs it does not have the app's settings. */
export function deliverEvents({ id }: ManagedVault, { functionId, deadLetter }: WantedSubscription): ShellCommand {
  return shellCommand('cmk admin ensure-events', [['--vault', id], ...destinationOf({ functionId, deadLetter })]);
}

/** Subscribes the app to Resource Manager's events of a subscription. @param wanted one of them: they differ in operations alone */
export function watchChanges(subscription: string, wanted: WantedSubscription): ShellCommand {
  const [own] = wanted.filters.find(({ operatorType }) => operatorType === 'StringNotIn')?.values ?? [];
  return shellCommand('cmk admin watch-changes', [
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
export function moveAccount({ id }: Account): ShellCommand {
  return shellCommand('cmk account pin', [['', id]]);
}

/** Has the app repair an account again. */
export function releaseContested({ id }: Account): ShellCommand {
  return shellCommand('cmk drift release', [
    ['', id],
    ['--reason', 'The other side has stopped'],
  ]);
}

/** Has an account use a key with the identity that its encryption settings name; in the mode that it was in. */
export function encryptAccount(
  { id }: Account,
  { name, vault }: ManagedKey,
  identity: string | undefined,
  pinned = false,
): ShellCommand {
  return shellCommand('cmk account enable', [
    ['', id],
    ['--vault', vault.id],
    ['--key', name],
    ...(identity === undefined ? [] : ([['--identity', identity]] as const)),
    ...(pinned ? ([['--pin', 'newest']] as const) : []),
  ]);
}

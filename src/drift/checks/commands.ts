import type { Account } from '../../accounts/account.ts';
import { STORAGE_KEY_ROLE } from '../../identities/key-access.ts';
import type { KeyVersion } from '../../keys/key-versions.ts';
import type { ManagedKey, ManagedVault } from '../../keys/managed-vaults.ts';
import { shellCommand } from './shell-command.ts';

// What mends a finding, filled in, to be copied into a shell. Nothing that a tag says becomes part of one: whoever may
// write a tag would choose what an operator does.

type Values = readonly (readonly [string, string])[];

const ofVault = ({ name, resourceGroup, subscriptionId }: ManagedVault): Values => [
  ['--name', name],
  ['--resource-group', resourceGroup],
  ['--subscription', subscriptionId],
];

/** Gives an identity what Storage needs, on the whole vault. */
export function giveAccess(
  principalId: string | undefined,
  vault: ManagedVault,
  by: 'rbac' | 'accessPolicies' | undefined,
): string | undefined {
  if (principalId === undefined) return undefined;
  return by === 'accessPolicies'
    ? shellCommand('az keyvault set-policy --key-permissions get wrapKey unwrapKey', [
        ['--object-id', principalId],
        ...ofVault(vault),
      ])
    : shellCommand('az role assignment create', [
        ['--assignee-object-id', principalId],
        ['--assignee-principal-type', 'ServicePrincipal'],
        ['--role', STORAGE_KEY_ROLE],
        ['--scope', vault.id],
      ]);
}

export function enableVersion({ id }: KeyVersion): string | undefined {
  return shellCommand('az keyvault key set-attributes --enabled true', [['--id', id]]);
}

export function rotate({ id }: ManagedKey): string | undefined {
  return shellCommand('cmk key rotate', [['', id]]);
}

export function recoverKey({ name, vault }: ManagedKey): string | undefined {
  return shellCommand('az keyvault key recover', [
    ['--vault-name', vault.name],
    ['--name', name],
  ]);
}

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

export function deliverEvents({ id }: ManagedVault): string | undefined {
  return shellCommand('cmk events ensure', [['--vault', id]]);
}

/** Moves a pinned account to the newest version of its key. */
export function moveAccount({ id }: Account): string | undefined {
  return shellCommand('cmk account pin', [['', id]]);
}

/** Has an account use a key with the identity that its encryption settings name. */
export function encryptAccount(
  { id }: Account,
  { name, vault }: ManagedKey,
  identity: string | undefined,
): string | undefined {
  return shellCommand('cmk account enable', [
    ['', id],
    ['--vault', vault.id],
    ['--key', name],
    ...(identity === undefined ? [] : ([['--identity', identity]] as const)),
  ]);
}

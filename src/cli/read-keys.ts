import type { Command } from 'commander';
import { describe, describeFailure } from '../azure/failure.ts';
import { CmkError } from '../errors.ts';
import { type ManagedKey, type ManagedVault, managedKey, managedVault } from '../keys/managed-vaults.ts';
import { vaultOption } from '../keys/vault-options.ts';
import { type AppApi, pagesOf } from '../operations/app-api.ts';
import { lookSettings } from '../operations/key/blast-radius-of.ts';
import type { Azure } from '../operations/operator-azure.ts';
import { findVault } from '../operations/resolve.ts';
import { appVaults } from '../operations/vault/vault-notes.ts';
import type { Environment } from '../settings/settings.ts';
import { readKeyStatus, stateOf } from '../views/key.ts';
import { KEY_LIST, KEY_STATUS, type KeyStatus, type KeySummary } from '../views/key-schemas.ts';
import { appIfKnown } from './app-of-environment.ts';
import type { Cli } from './cli.ts';

export interface ReadKeys {
  readonly keys: readonly KeySummary[];
  /** What could not be read, one sentence each. */
  readonly unread: readonly string[];
}

/**
 * Every key of these vaults, or of all that the app looks after: by the app or its storage, where either is known, else as Key
 * Vault lists them, without who uses them.
 */
export async function keyReader(
  vaults: readonly string[],
  cli: Cli,
  command: Command,
): Promise<(azure: Azure) => Promise<ReadKeys>> {
  const app = await appIfKnown(cli, command);
  return app ? () => keysByApp(vaults, app) : (azure) => keysOfVaults(vaults, cli, azure);
}

async function keysByApp(vaults: readonly string[], app: AppApi): Promise<ReadKeys> {
  const keys: KeySummary[] = [];
  const unread: string[] = [];
  for (const vault of vaults.length === 0 ? [undefined] : vaults) {
    const first = vault === undefined ? '/keys' : `/keys?vault=${encodeURIComponent(vault)}`;
    for await (const { value, vaults: listed, nextLink } of pagesOf(app, first, KEY_LIST)) {
      keys.push(...value);
      if (nextLink !== undefined) continue;
      unread.push(...listed.flatMap((one) => (one.unread ? `${one.vault}: ${one.unread.detail}` : [])));
    }
  }
  return {
    keys,
    unread: [...unread, ...keys.flatMap((key) => key.unread.map(({ detail }) => `${key.name}: ${detail}`))],
  };
}

async function keysOfVaults(named: readonly string[], cli: Cli, azure: Azure): Promise<ReadKeys> {
  const vaults: ManagedVault[] =
    named.length > 0
      ? (await Promise.all(named.map((vault) => findVault(vault, azure)))).flatMap(
          ({ id }) => managedVault(id, azure.cloud) ?? [],
        )
      : [...(appVaults(cli.environment, azure.cloud)?.all ?? [])];
  if (vaults.length === 0) {
    throw new CmkError('ArgumentInvalid', 'Which vault is it?', 'Name it with --vault <vault>, or set CMK_VAULTS.');
  }
  const keys: KeySummary[] = [];
  const unread: string[] = [];
  for (const vault of vaults) {
    try {
      for (const name of await azure.keyAdmin.names(vault)) {
        const key = managedKey(vault, name);
        const state = stateOf(await azure.keys.listVersions(key), azure.now());
        keys.push({ key: key.id, vault: vault.name, name, ...state, unread: [] });
      }
    } catch (error) {
      unread.push(`${vault.name}: ${describe(describeFailure(error))}`);
    }
  }
  return { keys, unread };
}

/** How long to look for what depends on a key. Milliseconds. */
const BESIDE_MS = 60_000;

/** A key's status, and the users of each version by their names. */
export interface UsedKeyStatus extends Omit<KeyStatus, 'versions'> {
  readonly versions: readonly (KeyStatus['versions'][number] & {
    /** Accounts, scopes as `account/scope`, and other resources. */
    readonly usedBy: readonly string[];
  })[];
}

/**
 * The status of a key: as the app answers it, else by Key Vault alone on the operator's sign-in.
 *
 * @param app undefined: neither the app nor its storage is known
 */
export async function keyStatusOf(
  key: ManagedKey,
  environment: Environment,
  { azure, app }: { readonly azure: Azure; readonly app: AppApi | undefined },
): Promise<UsedKeyStatus> {
  const status = (await statusByApp(key, app)) ?? (await statusByVault(key, environment, azure));
  const users = usersByVersion(status);
  return { ...status, versions: status.versions.map((one) => ({ ...one, usedBy: users.get(one.version) ?? [] })) };
}

/** Undefined: the app does not answer, or does not look after the key, or not for this operator. */
async function statusByApp({ vault, name }: ManagedKey, app: AppApi | undefined): Promise<KeyStatus | undefined> {
  try {
    return await app?.get(`/keys/${vault.name}/${name}`, KEY_STATUS);
  } catch (error) {
    if (error instanceof CmkError) return undefined;
    throw error;
  }
}

async function statusByVault(key: ManagedKey, environment: Environment, azure: Azure): Promise<KeyStatus> {
  const versions = await azure.keys.listVersions(key);
  if (versions.length === 0) {
    throw new CmkError(
      'KeyNotFound',
      `There is no key ${key.vault.name}/${key.name}.`,
      `Check the name, or create it: cmk key ensure ${key.name} ${vaultOption(key.vault)}`,
    );
  }
  const workspace = environment.CMK_USAGE_WORKSPACE;
  return readKeyStatus(
    key,
    versions,
    { workspace, ms: BESIDE_MS },
    {
      ...azure,
      settings: lookSettings(azure, environment),
      usageLog: azure.usageLog(workspace),
      effect: async () => ({ effect: [], warnings: [] }),
    },
  );
}

/** Under `unknown`, those of whom Azure does not say it. */
function usersByVersion({ dependents }: KeyStatus): ReadonlyMap<string, readonly string[]> {
  const users = new Map<string, string[]>();
  const add = (version: string | undefined, user: string): void => {
    const name = version?.toLowerCase() ?? 'unknown';
    users.set(name, [...(users.get(name) ?? []), user]);
  };
  for (const account of dependents.accounts) {
    if (account.mode !== 'scopesOnly') add(account.version, account.name);
    for (const scope of account.scopes) add(scope.version, `${account.name}/${scope.name}`);
  }
  for (const { type, name, uses } of dependents.otherResources) {
    for (const { version } of uses) add(version, `${type.split('/').at(-1)} ${name}`);
  }
  return users;
}

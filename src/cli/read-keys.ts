import type { Command } from 'commander';
import { describe, describeFailure } from '../azure/failure.ts';
import { CmkError } from '../errors.ts';
import { type ManagedVault, managedKey, managedVault } from '../keys/managed-vaults.ts';
import { type AppApi, pagesOf } from '../operations/app-api.ts';
import type { Azure } from '../operations/operator-azure.ts';
import { findVault } from '../operations/resolve.ts';
import { appVaults } from '../operations/vault/vault-notes.ts';
import { knowsAppStorage } from '../settings/own-storage.ts';
import { stateOf } from '../views/key.ts';
import { KEY_LIST, type KeySummary } from '../views/key-schemas.ts';
import { appOrItsStorage } from './app-of-environment.ts';
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
  const { CMK_API, CMK_API_AUDIENCE, CMK_VAULTS } = cli.environment;
  const isAppKnown = (CMK_API && CMK_API_AUDIENCE) || (CMK_VAULTS && knowsAppStorage(cli.environment));
  if (!isAppKnown) return (azure) => keysOfVaults(vaults, cli, azure);
  const app = await appOrItsStorage(cli, command);
  return () => keysByApp(vaults, app);
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

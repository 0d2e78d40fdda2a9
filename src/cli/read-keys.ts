import { CmkError } from '../errors.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { vaultOption } from '../keys/vault-options.ts';
import { type AppApi, pagesOf } from '../operations/app-api.ts';
import { lookSettings } from '../operations/key/blast-radius-of.ts';
import type { Azure } from '../operations/operator-azure.ts';
import type { Environment } from '../settings/settings.ts';
import { readKeyStatus } from '../views/key.ts';
import { KEY_LIST, KEY_STATUS, type KeyStatus, type KeySummary } from '../views/key-schemas.ts';

export interface ReadKeys {
  readonly keys: readonly KeySummary[];
  /** What could not be read, one sentence each. */
  readonly unread: readonly string[];
}

/** Every key of these vaults; with none named, of all vaults of the app. */
export async function readKeys(vaults: readonly string[], app: AppApi): Promise<ReadKeys> {
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

/** Longest search for what depends on a key. Milliseconds. */
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
  // It does not answer, or the key or the operator is unknown to it.
  const byVault = (error: unknown): Promise<KeyStatus> => {
    if (!(error instanceof CmkError)) throw error;
    return statusByVault(key, environment, azure);
  };
  const status = await (app?.get(`/keys/${key.vault.name}/${key.name}`, KEY_STATUS).catch(byVault) ??
    statusByVault(key, environment, azure));
  const users = usersByVersion(status);
  return { ...status, versions: status.versions.map((one) => ({ ...one, usedBy: users.get(one.version) ?? [] })) };
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

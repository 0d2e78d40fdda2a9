import { CmkError } from '../errors.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { vaultOption } from '../keys/vault-options.ts';
import { type AppApi, pagesOf } from '../operations/app-api.ts';
import { readOnlySettings } from '../operations/key/blast-radius-of.ts';
import type { Azure } from '../operations/operator-azure.ts';
import type { Environment } from '../settings/settings.ts';
import { readKeyStatus } from '../views/key.ts';
import { KEY_LIST, KEY_STATUS, type KeyStatus, type KeySummary } from '../views/key-schemas.ts';

export interface ReadKeys {
  readonly keys: readonly KeySummary[];
  /** Failed reads, one sentence each. */
  readonly unread: readonly string[];
}

/** Reads every key of these vaults; of all vaults of the app if the list is empty. */
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

/** Longest search for the dependents of a key, in milliseconds. */
const BESIDE_MS = 60_000;

/** Status of a key, with the names of the users of each version. */
export interface UsedKeyStatus extends Omit<KeyStatus, 'versions'> {
  readonly versions: readonly (KeyStatus['versions'][number] & {
    /** Accounts, scopes as `account/scope`, and other resources. */
    readonly usedBy: readonly string[];
  })[];
}

/**
 * Reads the status of a key from the app, else from Key Vault with the operator's sign-in.
 *
 * @param app undefined: no setting names the app or its storage
 */
export async function keyStatusOf(
  key: ManagedKey,
  environment: Environment,
  { azure, app }: { readonly azure: Azure; readonly app: AppApi | undefined },
): Promise<UsedKeyStatus> {
  // The app does not answer, or does not know the key or the operator.
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
      `The key ${key.vault.name}/${key.name} does not exist.`,
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
      settings: readOnlySettings(azure, environment),
      usageLog: azure.usageLog(workspace),
      effect: async () => ({ effect: [], effectTimes: undefined, warnings: [] }),
    },
  );
}

/** Groups users by version; `unknown` if Azure does not report the version. */
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

import type { TokenCredential } from '../azure/credential.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { readTimes } from '../effect/effect-of-key.ts';
import { CmkError } from '../errors.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { vaultOption } from '../keys/vault-options.ts';
import type { AppApi } from '../operations/app-api.ts';
import { lookSettings } from '../operations/key/blast-radius-of.ts';
import type { Azure } from '../operations/operator-azure.ts';
import { knowsAppStorage } from '../settings/own-storage.ts';
import type { Environment } from '../settings/settings.ts';
import { type KeyStatusPorts, readKeyStatus } from '../views/key.ts';
import { KEY_STATUS, type KeyStatus } from '../views/key-schemas.ts';

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
 * The status of a key: by the app, where it answers, else evaluated here on the operator's own sign-in, which needs Key Vault
 * alone.
 *
 * @param app undefined: it is not known where the app answers
 */
export async function keyStatusOf(
  key: ManagedKey,
  environment: Environment,
  {
    azure,
    app,
    credential,
  }: { readonly azure: Azure; readonly app: AppApi | undefined; readonly credential: TokenCredential },
): Promise<UsedKeyStatus> {
  const status = (await statusByApp(key, app)) ?? (await statusHere(key, environment, azure, credential));
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

async function statusHere(
  key: ManagedKey,
  environment: Environment,
  azure: Azure,
  credential: TokenCredential,
): Promise<KeyStatus> {
  const versions = await azure.keys.listVersions(key);
  if (versions.length === 0) {
    throw new CmkError(
      'KeyNotFound',
      `There is no key ${key.vault.name}/${key.name}.`,
      `Check the name, or create it: cmk key ensure ${key.name} ${vaultOption(key.vault)}`,
    );
  }
  const workspace = environment.CMK_USAGE_WORKSPACE;
  const warnings: string[] = [];
  const ports: KeyStatusPorts = {
    ...azure,
    settings: lookSettings(azure, environment),
    usageLog: azure.usageLog(workspace),
    effect: async () => ({ effect: [], warnings }),
  };
  const beside =
    knowsAppStorage(environment) && environment.CMK_VAULTS
      ? await appPorts(key, environment, azure, credential, warnings)
      : {};
  return readKeyStatus(key, versions, { workspace, ms: BESIDE_MS }, { ...ports, ...beside });
}

/** What the app keeps of the key, as far as the sign-in may read it. */
async function appPorts(
  key: ManagedKey,
  environment: Environment,
  { cloud, keys }: Azure,
  credential: TokenCredential,
  warnings: string[],
): Promise<Partial<KeyStatusPorts>> {
  const { createServices } = await import('../services.ts');
  const own = { ...environment, AZURE_CLOUD: cloud.name, AZURE_CLIENT_ID: undefined };
  const services = createServices(own, credential, () => {});
  const inSight = async () => services.settings.subscriptions;
  await services.control
    .readNow(() => {})
    .catch((error: unknown) => {
      warnings.push(`Whether its moves are paused cannot be read: ${describe(describeFailure(error))}`);
    });
  return {
    app: { ...services, keys, inSight },
    effect: async () => {
      const times = await readTimes(key, services);
      if ('times' in times) return { effect: [], effectTimes: times.times, warnings };
      return {
        effect: [],
        warnings: [...warnings, `How long revocations took to show cannot be read: ${times.unread}`],
      };
    },
  };
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

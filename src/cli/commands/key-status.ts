import { CmkError } from '../../errors/errors.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import { createKeyNotFound } from '../../revocation/usable-key.ts';
import type { Environment } from '../../settings/settings.ts';
import { readLiveFacts } from '../../status/key-facts.ts';
import { KEY_STATUS, type KeyStatus } from '../../status/key-schemas.ts';
import { readKeyStatus } from '../../status/key-status.ts';
import { readKeyUsage } from '../../status/key-usage.ts';
import type { AppApi } from '../procedures/app-api.ts';
import { readOnlySettings } from '../procedures/key/blast-radius-of.ts';
import type { Azure } from '../procedures/operator-azure.ts';

/** Longest search for the dependents of a key, in milliseconds. */
const BESIDE_MS = 60_000;

/** Status of a key, with the names of the users of each version. */
export interface UsedKeyStatus extends Omit<KeyStatus, 'versions'> {
  readonly versions: readonly (KeyStatus['versions'][number] & {
    readonly usedBy: readonly string[];
  })[];
}

/**
 * Reads the status of a key from the app, else from Key Vault with the operator's sign-in.
 *
 * @param app undefined: no setting names the app or its storage
 */
export async function readKeyStatusAnywhere(
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
  const { versions, dependents } = status;

  return { ...status, versions: versions.map((one) => ({ ...one, usedBy: usersOf(one.version, dependents) })) };
}

async function statusByVault(key: ManagedKey, environment: Environment, azure: Azure): Promise<KeyStatus> {
  const versions = await azure.keys.listVersions(key);
  if (versions.length === 0) throw createKeyNotFound(key);

  const workspace = environment.CMK_USAGE_WORKSPACE;
  const settings = readOnlySettings(azure, environment);
  const usageLog = azure.usageLog(workspace);

  return readKeyStatus(key, versions, {
    now: azure.now,
    facts: () => readLiveFacts(key, { ...azure, settings }, BESIDE_MS),
    usage: () => readKeyUsage(key, workspace, { usageLog }, BESIDE_MS),
    effect: async () => ({ effect: [], refusedAfter: undefined, warnings: [] }),
  });
}

/** Names the accounts, scopes (`account/scope`) and other resources that use a version. */
function usersOf(version: string, { accounts, otherResources }: KeyStatus['dependents']): string[] {
  const isUsed = (one: { readonly version?: string | undefined }): boolean => one.version?.toLowerCase() === version;

  return [
    ...accounts.flatMap((account) => [
      ...(account.mode !== 'scopesOnly' && isUsed(account) ? [account.name] : []),
      ...account.scopes.filter(isUsed).map(({ name }) => `${account.name}/${name}`),
    ]),
    ...otherResources.flatMap(({ type, name, uses }) =>
      uses.filter(isUsed).map(() => `${type.split('/').at(-1)} ${name}`),
    ),
  ];
}

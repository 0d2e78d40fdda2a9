import type { BlastRadius } from '../../dependents/blast-radius.ts';
import { CmkError } from '../../errors.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import { vaultOption } from '../../keys/vault-options.ts';
import { type KeyUsageView, readKeyUsage } from '../../overview/usage-view.ts';
import { type KeyState, keyState, type VersionState } from '../../revocation/key-state.ts';
import type { Environment } from '../../settings/settings.ts';
import type { Operation } from '../operator-azure.ts';
import { blastRadiusOf } from './blast-radius-of.ts';

/** How long to look for what depends on a key. Milliseconds. */
const DEPENDENTS_MS = 60_000;

export interface KeyStatus extends Omit<KeyState, 'versions'> {
  /** Identifier without a version. */
  readonly key: string;
  /** Newest first. */
  readonly versions: readonly UsedVersion[];
  readonly dependents: BlastRadius;
  /** Who used it, by the log; absent: it is not known where that is (CMK_USAGE_WORKSPACE). */
  readonly usage?: KeyUsageView;
}

export interface UsedVersion extends VersionState {
  /** Names of the accounts (and scopes, as `account/scope`) and other resources that use it. */
  readonly usedBy: readonly string[];
}

/** The versions of a key, who uses which, and an open revocation. Changes nothing. */
export async function showKeyStatus(
  key: ManagedKey,
  environment: Environment,
  { azure }: Operation,
): Promise<KeyStatus> {
  const workspace = environment.CMK_USAGE_WORKSPACE;
  const usageLog = azure.usageLog(workspace);
  const [versions, dependents, usage] = await Promise.all([
    azure.keys.listVersions(key),
    blastRadiusOf(key, azure, environment, DEPENDENTS_MS),
    readKeyUsage(key, workspace, { usageLog }, DEPENDENTS_MS),
  ]);
  if (versions.length === 0) {
    throw new CmkError(
      'KeyNotFound',
      `There is no key ${key.vault.name}/${key.name}.`,
      `Check the name, or create it: cmk key ensure ${key.name} ${vaultOption(key.vault)}`,
    );
  }
  const state = keyState(versions, azure.now());
  const users = usersByVersion(dependents);
  return {
    key: key.id,
    ...state,
    versions: state.versions.map((version) => ({ ...version, usedBy: users.get(version.version) ?? [] })),
    dependents,
    ...usage,
  };
}

/** Who uses which version; under `unknown`, those of whom nobody says it. */
function usersByVersion({ accounts, otherResources }: BlastRadius): Map<string, string[]> {
  const users = new Map<string, string[]>();
  const add = (version: string | undefined, user: string): void => {
    const key = version?.toLowerCase() ?? 'unknown';
    users.set(key, [...(users.get(key) ?? []), user]);
  };
  for (const account of accounts) {
    if (account.mode !== 'scopesOnly') add(account.version, account.name);
    for (const scope of account.scopes) add(scope.version, `${account.name}/${scope.name}`);
  }
  for (const resource of otherResources) {
    for (const { version } of resource.uses) add(version, `${resource.type.split('/').at(-1)} ${resource.name}`);
  }
  return users;
}

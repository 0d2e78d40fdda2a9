import type { TokenCredential } from '../../azure/credential.ts';
import { describe, describeFailure } from '../../azure/failure.ts';
import type { BlastRadius } from '../../dependents/blast-radius.ts';
import { readTimes } from '../../effect/effect-of-key.ts';
import { createEffectStore } from '../../effect/effect-store-client.ts';
import type { EffectTimes } from '../../effect/sum-times.ts';
import { CmkError } from '../../errors.ts';
import { asSpelled, type ManagedKey } from '../../keys/managed-vaults.ts';
import { vaultOption } from '../../keys/vault-options.ts';
import { findPause, pausedView } from '../../orders/standing-orders.ts';
import { createOrdersStore } from '../../orders/standing-orders-client.ts';
import type { KeySummary } from '../../overview/key-view.ts';
import { type KeyUsageView, readKeyUsage } from '../../overview/usage-view.ts';
import { type KeyState, keyState, type VersionState } from '../../revocation/key-state.ts';
import { knowsAppStorage } from '../../settings/own-storage.ts';
import { type Environment, readStorageSettings } from '../../settings/settings.ts';
import type { Azure, Operation } from '../operator-azure.ts';
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
  /** The pause that its moves and rotations are under; absent: there is none, or the app's storage is not known or not readable. */
  readonly paused?: NonNullable<KeySummary['paused']>;
  /** Why it is not readable. */
  readonly pausedUnread?: string;
  /** How long earlier changes took to show; absent: the app's storage, where that is kept, is not known or not readable. */
  readonly effectTimes?: EffectTimes;
  /** Why it is not readable. */
  readonly effectTimesUnread?: string;
}

export interface UsedVersion extends VersionState {
  /** Names of the accounts (and scopes, as `account/scope`) and other resources that use it. */
  readonly usedBy: readonly string[];
}

/**
 * The versions of a key, who uses which, and an open revocation. Changes nothing.
 *
 * @param credential for the app's storage, where the environment names one
 */
export async function showKeyStatus(
  key: ManagedKey,
  environment: Environment,
  { azure }: Operation,
  credential?: () => TokenCredential,
): Promise<KeyStatus> {
  const workspace = environment.CMK_USAGE_WORKSPACE;
  const usageLog = azure.usageLog(workspace);
  const [versions, dependents, usage, paused, effectTimes] = await Promise.all([
    azure.keys.listVersions(key),
    blastRadiusOf(key, azure, environment, DEPENDENTS_MS),
    readKeyUsage(key, workspace, { usageLog }, DEPENDENTS_MS),
    readPause(key, environment, azure, credential),
    readEffectTimes(key, environment, azure, credential),
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
    key: asSpelled(key, versions).id,
    ...state,
    versions: state.versions.map((version) => ({ ...version, usedBy: users.get(version.version) ?? [] })),
    ...paused,
    dependents,
    ...usage,
    ...effectTimes,
  };
}

async function readPause(
  key: ManagedKey,
  environment: Environment,
  azure: Azure,
  credential: (() => TokenCredential) | undefined,
): Promise<Pick<KeyStatus, 'paused' | 'pausedUnread'>> {
  if (!credential || !knowsAppStorage(environment)) return {};
  try {
    const settings = readStorageSettings({ ...environment, AZURE_CLOUD: azure.cloud.name });
    const pause = findPause(await createOrdersStore(settings, credential).read(), key.id, azure.now());
    return pause ? { paused: pausedView(pause) } : {};
  } catch (error) {
    return { pausedUnread: describe(describeFailure(error)) };
  }
}

async function readEffectTimes(
  key: ManagedKey,
  environment: Environment,
  azure: Azure,
  credential: (() => TokenCredential) | undefined,
): Promise<Pick<KeyStatus, 'effectTimes' | 'effectTimesUnread'>> {
  if (!credential || !knowsAppStorage(environment)) return {};
  try {
    const settings = readStorageSettings({ ...environment, AZURE_CLOUD: azure.cloud.name });
    const read = await readTimes(key, { effects: createEffectStore(settings, credential) });
    return 'unread' in read ? { effectTimesUnread: read.unread } : { effectTimes: read.times };
  } catch (error) {
    // Settings that cannot be used. The status of a key is told without them.
    return { effectTimesUnread: describe(describeFailure(error)) };
  }
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

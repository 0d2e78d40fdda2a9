import { describeFailure, type Failure } from '../azure/failure.ts';
import { twice } from '../azure/retry-once.ts';
import type { Keys } from '../keys/key-client.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { applyChanges, type Waiting } from './apply-changes.ts';
import { openRevocation, planRestore, type Revocation, revocationOf, revokers } from './revocation.ts';
import { reportVersions, type VersionReport } from './version-report.ts';

export interface KeyRestoration {
  /** Undefined: there was nothing to restore. */
  readonly revocation: Revocation | undefined;
  /** Refused because this person revoked the key; nothing was changed. */
  readonly needsSecondPerson: boolean;
  /** Whether the last read proves that everything the revocation disabled is enabled again. */
  readonly complete: boolean;
  /** The key was soft-deleted and has been recovered first. */
  readonly recovered: boolean;
  readonly versions: readonly VersionReport[];
  readonly unproven: Failure | undefined;
}

/** The key is soft-deleted and could not be recovered; why is in `cause`, the SDK's error. */
export class KeyNotRecoveredError extends Error {
  constructor(key: ManagedKey, cause: unknown) {
    super(`${key.id} is deleted and could not be recovered.`, { cause });
    this.name = 'KeyNotRecoveredError';
  }
}

/**
 * Enables what the open revocation disabled, and nothing else: a version that was off before stays off. Safe to repeat
 * after a partial failure, and without effect when nothing is revoked.
 *
 * @param restoredBy object id of the caller
 * @throws the SDK's error when the versions cannot be listed; {@link KeyNotRecoveredError}
 */
export async function restoreKey(
  key: ManagedKey,
  restoredBy: string,
  options: { readonly dualControl: boolean },
  services: Waiting & { readonly now: () => Date },
): Promise<KeyRestoration> {
  const { keys, now, sleep } = services;
  const list = () => twice(() => keys.listVersionsUnsettled(key), sleep);
  let before = await list();
  let recovered = false;
  if (before.length === 0) {
    recovered = await recover(key, keys);
    if (recovered) before = await list();
  }
  const revocation = openRevocation(before);
  const untouched = { revocation, recovered, unproven: undefined, versions: reportVersions(before, [], before, now()) };
  if (!revocation) return { ...untouched, needsSecondPerson: false, complete: true };
  if (options.dualControl && revokers(before).includes(restoredBy)) {
    return { ...untouched, needsSecondPerson: true, complete: false };
  }

  const applied = await applyChanges(key, planRestore(before), services);
  try {
    const proof = await list();
    return {
      revocation,
      recovered,
      needsSecondPerson: false,
      complete: !proof.some((version) => revocationOf(version) !== undefined),
      versions: reportVersions(before, applied, proof, now()),
      unproven: undefined,
    };
  } catch (error) {
    const versions = reportVersions(before, applied, undefined, now());
    const unproven = describeFailure(error);
    return { revocation, recovered, needsSecondPerson: false, complete: false, versions, unproven };
  }
}

async function recover(key: ManagedKey, keys: Keys): Promise<boolean> {
  try {
    return await keys.recover(key);
  } catch (error) {
    throw new KeyNotRecoveredError(key, error);
  }
}

import type { KeyUse } from '../../accounts/key-use.ts';
import { planKeyUse } from '../../controller/plan.ts';
import { DAY_MS } from '../../formats/spans.ts';
import {
  findNewestVersion,
  findVersion,
  getUsability,
  getUsableSince,
  type KeyVersion,
} from '../../keys/key-versions.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import { getVersionInUse } from '../../keys/version-in-use.ts';
import { openRevocation, type Revocation } from '../../revocation/revocation.ts';
import type { FoundCause } from './check.ts';

// What can be wrong with a use of a key, from its settings and the versions of the key alone. Each fact is determined
// here: the drift check words it as a finding, and the fleet as the health of an account.

/** Storage checks for a new version once a day (Azure Storage, "customer-managed keys": wait 24 hours). */
const STORAGE_CHECKS_MS = DAY_MS;

/** A use of a key of a managed vault, with all versions of the key. */
export interface UseOfVersions {
  readonly use: KeyUse;
  readonly key: ManagedKey;
  readonly versions: readonly KeyVersion[];
}

/** A use that does not use the newest usable version. */
export interface UseBehind {
  readonly target: KeyVersion;
  readonly cause: FoundCause;
}

/** A use whose data cannot be read, because its version is disabled. */
export interface UseDisabled {
  readonly version: KeyVersion;
  /** The open revocation that disabled it; undefined: the app did not. */
  readonly revocation: Revocation | undefined;
  readonly cause: FoundCause;
}

/** Finds whether the app would move a pinned use, and to which version. */
export function findStaleUse({ use, key, versions }: UseOfVersions, now: Date): UseBehind | undefined {
  if (use.pinned === undefined) return undefined;

  const { write, target } = planKeyUse(use, versions, now);

  return write ? { target, cause: { about: [key.id] } } : undefined;
}

/** Finds whether Storage had a day to change an automatic use to the newest version, and to which. */
export function findLaggingUse({ use, key, versions }: UseOfVersions, now: Date): UseBehind | undefined {
  if (use.pinned !== undefined || use.current === undefined) return undefined;

  const { write, target } = planKeyUse(use, versions, now);
  if (!write || now.getTime() - getUsableSince(target).getTime() <= STORAGE_CHECKS_MS) return undefined;

  return { target, cause: { about: [key.id] } };
}

/** Finds whether the version in use is disabled. A revocation disables it intentionally, and is then the cause. */
export function findDisabledUse({ use, key, versions }: UseOfVersions, now: Date): UseDisabled | undefined {
  const version = findHeldVersion(use, versions);
  if (!version || getUsability(version, now) !== 'Disabled') return undefined;

  const revocation = openRevocation(versions, now);
  const cause: FoundCause = revocation ? { reason: 'RevocationOpen', about: [key.id] } : { about: [version.id] };

  return { version, revocation, cause };
}

/**
 * Finds the version in use that the key lacks: the key was deleted and created again under its name, since Key Vault
 * never deletes a single version. Only versions that were listed after the use was read prove it.
 */
export function findLostVersion(use: KeyUse, versions: readonly KeyVersion[]): string | undefined {
  const version = getVersionInUse(use);
  if (version === undefined || versions.length === 0) return undefined;

  return findVersion(versions, version) ? undefined : version;
}

/** The cause of a use without its key, which one recovery of the key repairs. */
export function createMissingKeyCause({ id }: ManagedKey): FoundCause {
  return { about: [id] };
}

/** The cause of a use of a vault that the app does not manage. */
export function createUnmanagedVaultCause({ vaultUri }: KeyUse): FoundCause {
  return { about: [vaultUri] };
}

/**
 * The version that must be usable to read data. The newest, if Azure does not return the version of an automatic use.
 */
export function findHeldVersion(use: KeyUse, versions: readonly KeyVersion[]): KeyVersion | undefined {
  const version = getVersionInUse(use);
  return version === undefined ? findNewestVersion(versions) : findVersion(versions, version);
}

import {
  findVersion,
  isKnownOlder,
  type KeyVersion,
  newestUsableVersion,
  newestVersion,
} from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { LogLevel } from '../log.ts';
import type { Reason } from '../reasons.ts';
import { openRevocation } from '../revocation/revocation.ts';
import type { AccountEncryption } from './account.ts';
import type { KeyUse } from './key-use.ts';

/** What to do about one use of a key, and why. */
export type Plan =
  /** Nothing is written. */
  | { readonly write: false; readonly reason: Reason; readonly target: KeyVersion | undefined }
  /** Pinned: pin it to `target`, or pin it again where Azure does not use the version that it is pinned to. */
  | {
      readonly write: true;
      readonly reason: 'StaleKeyVersion' | 'PinNotInUse';
      readonly target: KeyVersion;
      readonly pin: string;
    }
  /** Automatic: write it unchanged, so that Storage checks for a new version at once. */
  | { readonly write: true; readonly reason: 'LaggingAutomaticVersion'; readonly target: KeyVersion; readonly pin: '' }
  /** A standing order moves it to another key: `target` is that key's; `pin` is empty where it stays automatic. */
  | {
      readonly write: true;
      readonly reason: 'RekeyOrdered';
      readonly target: KeyVersion;
      readonly pin: string;
      readonly to: ManagedKey;
    };

/**
 * Decides what an account's (or a scope's) use of a key should become. The rules are the product's invariants: only to
 * the newest usable version, never backwards, a pinned one stays pinned, an automatic one stays automatic, and nothing
 * moves onto or off a key under revocation. The age of a version that the key does not list is not known: the caller
 * lists again first (see {@link namesUnlisted}).
 */
export function planKeyUse(
  use: KeyUse,
  versions: readonly KeyVersion[],
  now: Date,
  options: {
    readonly refreshAutomatic: boolean;
    /** Whether it is not moved although it is stale. */
    readonly isLeft?: boolean;
  },
): Plan {
  const stay = (reason: Reason, target?: KeyVersion): Plan => ({ write: false, reason, target });
  if (versions.length === 0) return stay('KeyNotFound');
  if (openRevocation(versions, now)) return stay('RevocationOpen');
  const target = newestUsableVersion(versions, now);
  if (!target) return stay('NoUsableVersion');

  const isTarget = (version: string | undefined) => version === undefined || version === target.version;
  if (versionInUse(use) === target.version && isTarget(use.pinned)) return stay('UpToDate', target);
  if (versionsNamed(use).some((version) => mayBeNewer(version, target, versions)))
    return stay('NeverBackwards', target);
  if (options.isLeft) return stay('LeftByCheck', target);
  if (use.pinned !== undefined) {
    const reason = isTarget(use.pinned) ? 'PinNotInUse' : 'StaleKeyVersion';
    return { write: true, reason, target, pin: target.version };
  }
  // For an automatic use Storage uses the newest version of all, or rejects the write.
  if (newestVersion(versions) !== target) return stay('NewestVersionUnusable', target);
  if (!options.refreshAutomatic) return stay('LaggingAutomaticVersion', target);
  return { write: true, reason: 'LaggingAutomaticVersion', target, pin: '' };
}

/** The version that data is wrapped with; where Azure does not show it, the pinned version. */
export function versionInUse(use: KeyUse): string | undefined {
  return use.current ?? use.pinned;
}

/** Whether the key has `version`, and is not known to have made it before `target`. */
function mayBeNewer(version: string, target: KeyVersion, versions: readonly KeyVersion[]): boolean {
  const found = findVersion(versions, version);
  return found !== undefined && found !== target && !isKnownOlder(found, target);
}

/**
 * Whether it is pinned to, or uses, a version that is not in the list. Key Vault lists all versions of a key, and deletes
 * none by itself. If a list that began after the version was seen lacks it, the key was deleted and created again. If an
 * older list lacks it, it may be newer than all versions in the list.
 */
export function namesUnlisted(use: KeyUse, versions: readonly KeyVersion[]): boolean {
  return versionsNamed(use).some((version) => !findVersion(versions, version));
}

/** The whole encryption object as read, altered in the key version alone. */
export function withKeyVersion(encryption: AccountEncryption, keyVersion: string): AccountEncryption {
  return { ...encryption, keyVaultProperties: { ...encryption.keyVaultProperties, keyVersion } };
}

function versionsNamed({ pinned, current }: KeyUse): string[] {
  return [pinned, current].filter((version) => version !== undefined);
}

/** Log level of a reason for which nothing is written. */
export function levelOf(reason: Reason): LogLevel {
  if (reason === 'NoUsableVersion' || reason === 'KeyNotFound') return 'error';
  return reason === 'NeverBackwards' || reason.endsWith('RevocationOpen') ? 'warning' : 'info';
}

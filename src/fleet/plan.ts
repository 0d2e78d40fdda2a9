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
  /** Pinned: hold it at `target` instead, or once more where Azure does not use what it is pinned to. */
  | {
      readonly write: true;
      readonly reason: 'StaleKeyVersion' | 'PinNotInUse';
      readonly target: KeyVersion;
      readonly pin: string;
    }
  /** Automatic: write it as it is, so that Storage looks at once; it stays automatic. */
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
 * moves onto or off a key under revocation. A version that the key does not list cannot be placed in time: whoever acts
 * on the plan makes sure first that it is gone (see {@link namesUnlisted}).
 */
export function planKeyUse(
  use: KeyUse,
  versions: readonly KeyVersion[],
  now: Date,
  options: {
    readonly refreshAutomatic: boolean;
    /** Whether it is to stay where it is, although it is behind. */
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
  // Storage takes the newest version of all for an automatic use, or refuses.
  if (newestVersion(versions) !== target) return stay('NewestVersionUnusable', target);
  if (!options.refreshAutomatic) return stay('LaggingAutomaticVersion', target);
  return { write: true, reason: 'LaggingAutomaticVersion', target, pin: '' };
}

/** The version that data is wrapped with; where Azure does not tell, the one that is pinned. */
export function versionInUse(use: KeyUse): string | undefined {
  return use.current ?? use.pinned;
}

/** Whether the key has `version`, and is not known to have made it before `target`. */
function mayBeNewer(version: string, target: KeyVersion, versions: readonly KeyVersion[]): boolean {
  const found = findVersion(versions, version);
  return found !== undefined && found !== target && !isKnownOlder(found, target);
}

/**
 * Whether it is pinned to, or uses, a version that is not in the list. Key Vault lists every version a key has, and
 * deletes none alone: one that is missing from a list that was begun after the version was seen is gone, with a key
 * that was deleted and made anew. One that is missing from an older list may be newer than all that are in it.
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

/** How loud it is said that nothing is written. */
export function levelOf(reason: Reason): LogLevel {
  if (reason === 'NoUsableVersion' || reason === 'KeyNotFound') return 'error';
  return reason === 'NeverBackwards' || reason.endsWith('RevocationOpen') ? 'warning' : 'info';
}

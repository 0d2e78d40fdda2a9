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
 * moves onto or off a key under revocation. A use on a version that the key does not list is moved: the key was
 * deleted and created again. The list is newer than the use's version, as the caller lists after it has read the use, and
 * waits with what others have just changed.
 */
export function planKeyUse(
  use: KeyUse,
  versions: readonly KeyVersion[],
  now: Date,
  /** Whether the drift check must not move it although it is stale. */
  isExempt = false,
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
  if (isExempt) return stay('LeftByCheck', target);
  if (use.pinned !== undefined) {
    const reason = isTarget(use.pinned) ? 'PinNotInUse' : 'StaleKeyVersion';
    return { write: true, reason, target, pin: target.version };
  }
  // For an automatic use Storage uses the newest version of all, or rejects the write.
  if (newestVersion(versions) !== target) return stay('NewestVersionUnusable', target);
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

/** A key with its versions. */
export interface ListedKey {
  readonly key: ManagedKey;
  readonly versions: readonly KeyVersion[];
}

/** Why an order moves nothing from one key to the other, and which of the two keys is the cause. */
export interface RekeyBlocker {
  readonly reason: Extract<Reason, 'KeyNotFound' | 'RevocationOpen' | 'NoUsableVersion' | 'NewestVersionUnusable'>;
  readonly key: ManagedKey;
}

/**
 * Finds why an order cannot move all uses now. Then it moves none, and they follow their own key: an order that moved pinned
 * uses alone would never be done.
 */
export function findRekeyBlocker(from: ListedKey, to: ListedKey, now: Date): RekeyBlocker | undefined {
  for (const { key, versions } of [from, to]) {
    // A deleted key does not show whether it is revoked.
    if (versions.length === 0) return { reason: 'KeyNotFound', key };
    if (openRevocation(versions, now)) return { reason: 'RevocationOpen', key };
  }
  const target = newestUsableVersion(to.versions, now);
  if (!target) return { reason: 'NoUsableVersion', key: to.key };
  // For an automatic use Storage uses the newest version of all, or rejects the write.
  return newestVersion(to.versions) === target ? undefined : { reason: 'NewestVersionUnusable', key: to.key };
}

/**
 * Decides what a use becomes when a standing order moves it to another key: the newest usable version of that key. A pinned
 * use stays pinned, an automatic use automatic. Undefined: the order is blocked.
 */
export function planRekey(use: Pick<KeyUse, 'pinned'>, from: ListedKey, to: ListedKey, now: Date): Plan | undefined {
  const target = newestUsableVersion(to.versions, now);
  if (!target || findRekeyBlocker(from, to, now)) return undefined;
  return {
    ...{ write: true, reason: 'RekeyOrdered', target, to: to.key },
    pin: use.pinned === undefined ? '' : target.version,
  };
}

/** The version that a use is to be on. @param to the key that an order moves it to */
export function targetVersion(from: ListedKey, to: ListedKey | undefined, now: Date): KeyVersion | undefined {
  const isMoved = to !== undefined && !findRekeyBlocker(from, to, now);
  return newestUsableVersion((isMoved ? to : from).versions, now);
}

/** The whole encryption object as read, altered in the key fields alone. @param to the key of a re-key order */
export function withKeyVersion(encryption: AccountEncryption, version: string, to?: ManagedKey): AccountEncryption {
  const key = to ? { keyVaultUri: to.vault.uri, keyName: to.name } : {};
  return { ...encryption, keyVaultProperties: { ...encryption.keyVaultProperties, ...key, keyVersion: version } };
}

function versionsNamed({ pinned, current }: KeyUse): string[] {
  return [pinned, current].filter((version) => version !== undefined);
}

/** Log level of a reason for which nothing is written. */
export function levelOf(reason: Reason): LogLevel {
  if (reason === 'NoUsableVersion' || reason === 'KeyNotFound') return 'error';
  return reason === 'NeverBackwards' || reason.endsWith('RevocationOpen') ? 'warning' : 'info';
}

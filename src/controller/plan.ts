import type { AccountEncryption } from '../accounts/account.ts';
import type { KeyUse } from '../accounts/key-use.ts';
import type { LogLevel } from '../errors/log.ts';
import type { Reason } from '../errors/reasons.ts';
import {
  findNewestUsableVersion,
  findNewestVersion,
  findVersion,
  isKnownOlder,
  type KeyVersion,
} from '../keys/key-versions.ts';
import { type ManagedKey, withSpelling } from '../keys/managed-vaults.ts';
import { getVersionInUse } from '../keys/version-in-use.ts';
import { openRevocation } from '../revocation/revocation.ts';

/** The planned change of a key's use, with its reason. */
export type Plan =
  | { readonly write: false; readonly reason: Reason; readonly target: KeyVersion | undefined }
  | {
      readonly write: true;
      /** `LaggingAutomaticVersion`: write the same settings, so that Storage checks for a new version at once. */
      readonly reason: 'StaleKeyVersion' | 'PinNotInUse' | 'LaggingAutomaticVersion' | 'RekeyOrdered';
      readonly target: KeyVersion;
      /** Version to pin; empty for an automatic use. */
      readonly pin: string;
      /** Target key of a re-key order, which moves the use to another key. */
      readonly to?: ManagedKey;
    };

/**
 * Plans the change of an account's or scope's use of a key. The rules are the product's invariants: move only to the
 * newest usable version, and never to an older version. Pinned uses stay pinned, and automatic uses stay automatic.
 * No use moves onto or off a revoked key. If the list lacks the use's version, the key was deleted and created again,
 * so the use moves. The caller lists the versions after it read the use, so the list is newer. The caller also waits
 * after a change by another actor.
 */
export function planKeyUse(
  use: KeyUse,
  versions: readonly KeyVersion[],
  now: Date,
  /** Whether an exemption forbids the drift check to move a stale use. */
  isExempt = false,
): Plan {
  const stay = (reason: Reason, target?: KeyVersion): Plan => ({ write: false, reason, target });
  if (versions.length === 0) return stay('KeyNotFound');
  if (openRevocation(versions, now)) return stay('RevocationOpen');

  const target = findNewestUsableVersion(versions, now);
  if (!target) return stay('NoUsableVersion');

  const isTarget = (version: string | undefined) => version === undefined || version === target.version;
  if (getVersionInUse(use) === target.version && isTarget(use.pinned)) return stay('UpToDate', target);

  if (versionsNamed(use).some((version) => mayBeNewer(version, target, versions))) {
    return stay('NeverBackwards', target);
  }

  if (isExempt) return stay('LeftByCheck', target);

  if (use.pinned !== undefined) {
    const reason = isTarget(use.pinned) ? 'PinNotInUse' : 'StaleKeyVersion';
    return { write: true, reason, target, pin: target.version };
  }

  // For an automatic use, Storage uses the key's newest version or rejects the write.
  if (findNewestVersion(versions) !== target) return stay('NewestVersionUnusable', target);

  return { write: true, reason: 'LaggingAutomaticVersion', target, pin: '' };
}

/** Returns whether the key lists `version`, and `version` may be newer than `target`. */
function mayBeNewer(version: string, target: KeyVersion, versions: readonly KeyVersion[]): boolean {
  const found = findVersion(versions, version);
  return found !== undefined && found !== target && !isKnownOlder(found, target);
}

/** A key and its versions. */
export interface ListedKey {
  readonly key: ManagedKey;
  readonly versions: readonly KeyVersion[];
}

/** Why an order moves no use between two keys, and which of the two keys is the cause. */
export interface RekeyBlocker {
  readonly reason: Extract<Reason, 'KeyNotFound' | 'RevocationOpen' | 'NoUsableVersion' | 'NewestVersionUnusable'>;
  readonly key: ManagedKey;
}

/**
 * Finds why an order cannot move all uses now. A blocked order moves no use, and the uses follow their own key: an
 * order that moved only pinned uses would never finish.
 */
export function findRekeyBlocker(from: ListedKey, to: ListedKey, now: Date): RekeyBlocker | undefined {
  for (const { key, versions } of [from, to]) {
    // A deleted key does not show whether it was revoked.
    if (versions.length === 0) return { reason: 'KeyNotFound', key };
    if (openRevocation(versions, now)) return { reason: 'RevocationOpen', key };
  }
  const target = findNewestUsableVersion(to.versions, now);
  if (!target) return { reason: 'NoUsableVersion', key: to.key };
  // For an automatic use, Storage uses the key's newest version or rejects the write.
  return findNewestVersion(to.versions) === target ? undefined : { reason: 'NewestVersionUnusable', key: to.key };
}

/**
 * Plans a re-key order's change of a use: the newest usable version of the target key. Pinned uses stay pinned, and
 * automatic uses stay automatic. Returns undefined if the order is blocked.
 */
export function planRekey(use: Pick<KeyUse, 'pinned'>, from: ListedKey, to: ListedKey, now: Date): Plan | undefined {
  const target = findNewestUsableVersion(to.versions, now);
  if (!target || findRekeyBlocker(from, to, now)) return undefined;
  return {
    write: true,
    reason: 'RekeyOrdered',
    target,
    to: withSpelling(to.key, to.versions),
    pin: use.pinned === undefined ? '' : target.version,
  };
}

/** Returns the encryption object with only its key fields changed. @param to target key of a re-key order */
export function withKeyVersion(encryption: AccountEncryption, version: string, to?: ManagedKey): AccountEncryption {
  const key = to ? { keyVaultUri: to.vault.uri, keyName: to.name } : {};
  return { ...encryption, keyVaultProperties: { ...encryption.keyVaultProperties, ...key, keyVersion: version } };
}

function versionsNamed({ pinned, current }: KeyUse): string[] {
  return [pinned, current].filter((version) => version !== undefined);
}

/** Returns the log level of a reason for no change. */
export function chooseLogLevel(reason: Reason): LogLevel {
  if (reason === 'NoUsableVersion' || reason === 'KeyNotFound') return 'error';
  return reason === 'NeverBackwards' || reason.endsWith('RevocationOpen') ? 'warning' : 'info';
}

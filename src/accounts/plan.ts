import type { Encryption } from '@azure/arm-storage';
import { compareAge, findVersion, type KeyVersion, newestUsableVersion } from '../keys/key-versions.ts';
import type { Reason } from '../reasons.ts';
import { openRevocation } from '../revocation/revocation.ts';
import type { KeyUse } from './key-use.ts';

/** What to do about one use of a key, and why. */
export type Plan =
  /** Nothing is written. */
  | { readonly write: false; readonly reason: Reason; readonly target: KeyVersion | undefined }
  /** Pinned: hold it at `target` instead. */
  | { readonly write: true; readonly reason: 'StaleKeyVersion'; readonly target: KeyVersion; readonly pin: string }
  /** Automatic: write it as it is, so that Storage looks at once; it stays automatic. */
  | { readonly write: true; readonly reason: 'LaggingAutomaticVersion'; readonly target: KeyVersion; readonly pin: '' };

/**
 * Decides what an account's (or a scope's) use of a key should become. The rules are the product's invariants: only to
 * the newest usable version, never backwards, a pinned one stays pinned, an automatic one stays automatic, and nothing
 * moves onto or off a key under revocation.
 */
export function planKeyUse(
  use: KeyUse,
  versions: readonly KeyVersion[],
  now: Date,
  options: { readonly refreshAutomatic: boolean },
): Plan {
  const stay = (reason: Reason, target?: KeyVersion): Plan => ({ write: false, reason, target });
  if (versions.length === 0) return stay('KeyNotFound');
  if (openRevocation(versions, now)) return stay('RevocationOpen');
  const target = newestUsableVersion(versions, now);
  if (!target) return stay('NoUsableVersion');

  const held = use.pinned ?? use.current;
  if (held === target.version) return stay('UpToDate', target);
  const version = held === undefined ? undefined : findVersion(versions, held);
  if (version && compareAge(version, target) > 0) return stay('NeverBackwards', target);
  if (use.pinned !== undefined) {
    // A version that the key does not list cannot be placed in time, so moving off it might be a move backwards. It is
    // moved all the same when it is certainly gone: Key Vault lists every version a key has, and deletes none alone.
    return { write: true, reason: 'StaleKeyVersion', target, pin: target.version };
  }
  if (!options.refreshAutomatic) return stay('LaggingAutomaticVersion', target);
  return { write: true, reason: 'LaggingAutomaticVersion', target, pin: '' };
}

/** The whole encryption object as read, altered in the key version alone. */
export function withKeyVersion(encryption: Encryption, keyVersion: string): Encryption {
  return { ...encryption, keyVaultProperties: { ...encryption.keyVaultProperties, keyVersion } };
}

import type { Failure } from '../azure/failure.ts';
import { describe } from '../azure/failure.ts';
import type { EffectState } from './effect.ts';

/** What one account's file service showed when it was asked. */
export interface Seen {
  readonly state: EffectState;
  /** Why it is `unknown`, or Azure's code for `blocked`. */
  readonly why?: string | undefined;
  /** The share that was asked is gone: another one has to be found. */
  readonly gone?: boolean;
}

/** Of an account whose key is disabled. */
export const KEY_NOT_FOUND = 'KeyVaultEncryptionKeyNotFound';

/**
 * The refusals of an account whose key cannot be used: the key, its vault, or the identity's access to it is gone
 * (Azure Storage REST reference, "Common REST API error codes").
 */
const BLOCKED = /^KeyVault(EncryptionKeyNotFound|VaultNotFound|AccessTokenCannotBeAcquired)$/i;

/** What to do about the answers that tell nothing, by Azure's code. */
const ADVICE: Readonly<Record<string, string>> = {
  authorizationpermissionmismatch:
    'the app lacks the role Storage File Data Privileged Reader on the account; without it nothing can be told',
  authorizationfailure: "the account's network rules keep the app out; nothing can be told from here",
};

/** `undefined`: the listing was served. */
export function seen(failure: Failure | undefined): Seen {
  if (!failure) return { state: 'open' };
  if (failure.status === 403 && BLOCKED.test(failure.code)) return { state: 'blocked', why: failure.code };
  if (/^Share(NotFound|BeingDeleted)$/i.test(failure.code)) {
    return { state: 'unknown', why: `${failure.code}: the share is gone; another one is looked for.`, gone: true };
  }
  const advice = ADVICE[failure.code.toLowerCase()];
  return { state: 'unknown', why: advice ? `${failure.code}: ${advice}.` : describe(failure) };
}

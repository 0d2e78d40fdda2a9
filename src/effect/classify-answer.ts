import type { Failure } from '../azure/failure.ts';
import { describe } from '../azure/failure.ts';
import type { DataService, EffectState } from './effect.ts';

/** What one service of an account showed when it was asked. */
export interface Seen {
  readonly state: EffectState;
  /** Why it is `unknown`, or Azure's code for `blocked`. */
  readonly why?: string | undefined;
  /** What was asked is gone, or has nothing that could be read: another share or container has to be found. */
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
  authorizationfailure: "the account's network rules keep the app out; nothing can be told from here",
};

/** The role that the app lacks where it may not list. */
const ROLES = { file: 'Storage File Data Privileged Reader', blob: 'CMK Autopilot blob lister' } as const;

/** `undefined`: the listing was served. */
export function seen(failure: Failure | undefined, service: DataService): Seen {
  if (!failure) return { state: 'open' };
  if (failure.status === 403 && BLOCKED.test(failure.code)) return { state: 'blocked', why: failure.code };
  if (/^(Share|Container)(NotFound|BeingDeleted)$/i.test(failure.code)) {
    const what = service === 'file' ? 'share' : 'container';
    return { state: 'unknown', why: `${failure.code}: the ${what} is gone; another one is looked for.`, gone: true };
  }
  if (failure.code.toLowerCase() === 'authorizationpermissionmismatch') {
    const role = `the app lacks the role ${ROLES[service]} on the account; without it nothing can be told`;
    return { state: 'unknown', why: `${failure.code}: ${role}.` };
  }
  const advice = ADVICE[failure.code.toLowerCase()];
  return { state: 'unknown', why: advice ? `${failure.code}: ${advice}.` : describe(failure) };
}

import { describe, describeFailure } from '../azure/failure.ts';
import type { Reason } from '../reasons.ts';
import type { Work } from './messages.ts';

/** What became of a piece of work. */
export type Outcome =
  /** Finished, whether or not anything was written. */
  | { readonly outcome: 'done' }
  /** Not now: put it back. `counts`: one of the bounded number of tries is used up. */
  | {
      readonly outcome: 'again';
      readonly reason: Reason;
      readonly detail: string;
      readonly counts: boolean;
      readonly delaySeconds: number | undefined;
      /** What to put back instead of the message itself, when part of it is done. */
      readonly with?: Work;
    }
  /** Never, as things stand: a person has to look. */
  | { readonly outcome: 'impossible'; readonly reason: Reason; readonly detail: string };

export const DONE: Outcome = { outcome: 'done' };

/** Storage could not use the key with the account's identity: no role, or one that has not propagated yet. */
const NO_ACCESS = /^KeyVaultAuthenticationFailure$/i;
const NO_PURGE_PROTECTION = /^KeyVaultPolicyError$/i;
/** The name of a vault that is gone does not resolve. It may be recovered, with its keys as they were. */
const NO_VAULT = /ENOTFOUND [\w-]+\.(?:vault|managedhsm)\./;

/**
 * Sorts an error of Azure into what is tried again and what is not. Only the errors that cannot pass by themselves are
 * impossible; when in doubt it is tried again, and the number of tries is what bounds it.
 */
export function outcomeOfFailure(error: unknown): Outcome {
  const failure = describeFailure(error);
  const detail = describe(failure);
  const again = (reason: Reason, counts = true): Outcome => ({
    outcome: 'again',
    reason,
    detail,
    counts,
    delaySeconds: failure.retryAfterSeconds,
  });
  if (failure.kind === 'throttled') return again('Throttled', false);
  if (NO_ACCESS.test(failure.code)) return again('IdentityHasNoAccess');
  if (NO_VAULT.test(failure.message)) return again('VaultNotFound');
  if (NO_PURGE_PROTECTION.test(failure.code)) return { outcome: 'impossible', reason: 'PurgeProtectionOff', detail };
  switch (failure.kind) {
    case 'unavailable':
    case 'conflict':
      return again('ServiceUnavailable');
    case 'forbidden':
      return again('MissingPermission');
    case 'notFound':
    case 'refused':
      return { outcome: 'impossible', reason: 'Refused', detail };
    case 'unexpected':
      return again('Unexpected');
  }
}

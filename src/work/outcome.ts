import { describe, describeFailure, type Failure, linkedRight } from '../azure/failure.ts';
import { REASONS, type Reason } from '../reasons.ts';

/** What became of a piece of work. */
export type Outcome =
  /** Finished, whether or not anything was written. */
  | { readonly outcome: 'done' }
  /** Not now: requeue it. `counts`: one of the bounded number of tries is used up. */
  | {
      readonly outcome: 'retry';
      readonly reason: Reason;
      readonly detail: string;
      readonly counts: boolean;
      /** Limit of tries that count, if lower than usual. */
      readonly maxTries?: number;
      readonly delaySeconds: number | undefined;
    }
  /** A retry would not help: the message becomes poison, for an operator. */
  | { readonly outcome: 'reject'; readonly reason: Reason; readonly detail: string };

export const DONE: Outcome = { outcome: 'done' };

/** Storage could not use the key with the account's identity: no role, or one that has not propagated yet. */
const NO_ACCESS = /^KeyVaultAuthenticationFailure$/i;
const NO_PURGE_PROTECTION = /^KeyVaultPolicyError$/i;
/**
 * What Storage says of the key itself: `HttpResourceNotFound` for a version that it does not see (yet), and the like.
 * The message was written after the version was read, so that it may pass; if it does not, an operator has to act soon.
 */
const ABOUT_THE_KEY = /^(?:HttpResourceNotFound|Key\w+)$/i;
/** No page says whether a PATCH of `encryption` alone needs this right; only a refusal of Azure shows it. */
const ASSIGN_IDENTITY = /userAssignedIdentities\/(?:\*\/)?assign\/action/i;
/** The name of a vault that is gone does not resolve. It may be recovered, with its keys as they were. */
const NO_VAULT = /ENOTFOUND [\w-]+\.(?:vault|managedhsm)\./;

/**
 * Sorts an error of Azure into what is tried again and what is not. Only the errors that cannot pass by themselves are
 * rejected; when in doubt it is tried again, and the number of tries is what bounds it.
 */
export function outcomeOfFailure(error: unknown): Exclude<Outcome, { outcome: 'done' }> {
  const failure = describeFailure(error);
  const detail = describe(failure);
  const retry = (reason: Reason, counts = true): Extract<Outcome, { outcome: 'retry' }> => ({
    outcome: 'retry',
    reason,
    detail,
    counts,
    delaySeconds: failure.retryAfterSeconds,
  });
  if (failure.kind === 'throttled') return retry('Throttled', false);
  if (NO_ACCESS.test(failure.code)) return retry('IdentityHasNoAccess');
  const unassignable = identityDenied(failure);
  if (unassignable !== undefined) return { ...retry('IdentityAssignmentDenied'), detail: unassignable };
  if (NO_VAULT.test(failure.message)) return retry('VaultNotFound');
  if (NO_PURGE_PROTECTION.test(failure.code)) return { outcome: 'reject', reason: 'PurgeProtectionOff', detail };
  switch (failure.kind) {
    case 'unavailable':
      return retry('ServiceUnavailable');
    case 'conflict':
      return retry('Conflict');
    case 'blocked':
      return retry(failure.block.reason);
    case 'forbidden':
      return retry('MissingPermission');
    case 'notFound':
    case 'refused':
      if (ABOUT_THE_KEY.test(failure.code)) return retry('Refused');
      return { outcome: 'reject', reason: 'Refused', detail };
    case 'unexpected':
      return retry('Unexpected');
  }
}

/** Words a refusal to write an account that names an identity; undefined: it is another refusal. */
function identityDenied(failure: Failure): string | undefined {
  const right = linkedRight(failure);
  if (!right || !ASSIGN_IDENTITY.test(right.actions)) return undefined;
  return `${failure.status} ${failure.code}: the app lacks ${right.actions} on ${right.scopes}. ${REASONS.IdentityAssignmentDenied}`;
}

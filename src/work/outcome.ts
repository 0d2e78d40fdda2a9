import { describeAnswerOf, describeFailure, type Failure, parseLinkedRight } from '../azure/failure.ts';
import { REASONS, type Reason } from '../errors/reasons.ts';
import type { RetrySchedule } from './retry.ts';

/** Result of processing a message. */
export type Outcome =
  /** Finished, with or without a write. */
  | { readonly outcome: 'done' }
  /** Requeue the message. `counts`: the attempt counts towards the limit. */
  | {
      readonly outcome: 'retry';
      readonly reason: Reason;
      readonly detail: string;
      readonly counts: boolean;
      /** Limit of counted attempts, if lower than usual. */
      readonly maxTries?: number;
      /** Schedule of the delays, if not that of most work. */
      readonly schedule?: RetrySchedule;
      readonly delaySeconds: number | undefined;
    }
  /** A retry cannot succeed: the message becomes poison, for an operator. */
  | { readonly outcome: 'reject'; readonly reason: Reason; readonly detail: string };

/** Outcome of a job. */
export type JobOutcome =
  | Outcome
  /** The job has a next step, after a delay. */
  | { readonly outcome: 'again'; readonly delaySeconds: number }
  /** Another worker runs the job, and includes every request that came before its end. */
  | { readonly outcome: 'busy' };

export const BUSY: JobOutcome = { outcome: 'busy' };
export const DONE: Outcome = { outcome: 'done' };

/** Storage cannot use the key with the account's identity: a role is missing or has not propagated. */
const NO_ACCESS = /^KeyVaultAuthenticationFailure$/i;
const NO_PURGE_PROTECTION = /^KeyVaultPolicyError$/i;
/**
 * Storage's error codes about the key itself, such as `HttpResourceNotFound` for a version that Storage does not find.
 * The worker read the version earlier, so the error may pass. Otherwise an operator must act soon.
 */
const ABOUT_THE_KEY = /^(?:HttpResourceNotFound|Key\w+)$/i;
/** Microsoft does not document whether a PATCH of only `encryption` needs this right; only its denial shows it. */
const ASSIGN_IDENTITY = /userAssignedIdentities\/(?:\*\/)?assign\/action/i;
/** The DNS name of a deleted vault does not resolve. An operator may recover the vault with its keys. */
const NO_VAULT = /ENOTFOUND [\w-]+\.(?:vault|managedhsm)\./;

const RETRIED: Readonly<Partial<Record<Failure['kind'], Reason>>> = {
  unavailable: 'ServiceUnavailable',
  conflict: 'Conflict',
  forbidden: 'MissingPermission',
  unexpected: 'Unexpected',
};

/**
 * Classifies an error of Azure as retry or reject. Rejects only errors that cannot pass without an operator. All
 * others are retried up to the limit of attempts.
 */
export function toOutcome(error: unknown): Exclude<Outcome, { outcome: 'done' }> {
  const failure = describeFailure(error);
  const detail = describeAnswerOf(failure);
  const retry = (reason: Reason, counts = true): Extract<Outcome, { outcome: 'retry' }> => ({
    outcome: 'retry',
    reason,
    detail,
    counts,
    delaySeconds: failure.retryAfterSeconds,
  });
  if (failure.kind === 'throttled') return retry('Throttled', false);
  if (NO_ACCESS.test(failure.code)) return retry('IdentityHasNoAccess');

  const right = parseLinkedRight(failure);
  if (right && ASSIGN_IDENTITY.test(right.actions)) {
    const lacks = `the app lacks ${right.actions} on ${right.scopes}. ${REASONS.IdentityAssignmentDenied}`;
    return { ...retry('IdentityAssignmentDenied'), detail: `${failure.status} ${failure.code}: ${lacks}` };
  }

  if (NO_VAULT.test(failure.message)) return retry('VaultNotFound');
  if (NO_PURGE_PROTECTION.test(failure.code)) return { outcome: 'reject', reason: 'PurgeProtectionOff', detail };
  if (failure.block) return retry(failure.block.reason);

  const reason = RETRIED[failure.kind];
  if (reason) return retry(reason);

  return ABOUT_THE_KEY.test(failure.code) ? retry('Refused') : { outcome: 'reject', reason: 'Refused', detail };
}

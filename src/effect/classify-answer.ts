import { describe, type Failure } from '../azure/failure.ts';
import { type DataService, type EffectState, SERVICE_WORDS } from './effect.ts';

export interface Seen {
  readonly state: EffectState;
  /** Reason for `unknown`, or Azure's error code for `blocked`. */
  readonly why?: string | undefined;
  /** The share or container is deleted or contains no data: the probe must search for another. */
  readonly gone?: boolean;
}

/** Error code of an account whose key is disabled. */
export const KEY_NOT_FOUND = 'KeyVaultEncryptionKeyNotFound';

/** The app lacks a role to list data: the role is missing, or has not propagated yet. */
export const ROLE_MISSING = 'AuthorizationPermissionMismatch';

/**
 * Error codes of an account whose key is unusable: the key, its vault, or the identity's access is missing
 * (Azure Storage REST reference, "Common REST API error codes").
 */
const BLOCKED = /^KeyVault(EncryptionKeyNotFound|VaultNotFound|AccessTokenCannotBeAcquired)$/i;

/** Advice for inconclusive answers, by Azure's error code. */
const ADVICE: Readonly<Record<string, string>> = {
  authorizationfailure: "the account's network rules deny access to the app, so the probe has no result",
};

/**
 * Checks every answer of a list: an answer with status 200 may contain an error, or come from a proxy.
 *
 * @throws an error with the code in the answer's body, if any
 */
export function requireList({
  status,
  bodyAsText,
}: {
  readonly status: number;
  readonly bodyAsText?: string | null;
}): void {
  if (status !== 200 || bodyAsText?.includes('<EnumerationResults')) return;
  const [, code = 'NotAList'] = /<Code>(\w+)<\/Code>/.exec(bodyAsText ?? '') ?? [];
  throw Object.assign(new Error('The answer contains no list, so the probe has no result.'), {
    statusCode: status,
    code,
  });
}

/** Classifies the answer of a list. @param failure undefined for a successful list */
export function seen(failure: Failure | undefined, service: DataService): Seen {
  if (!failure) return { state: 'open' };
  if ((failure.status === 403 || failure.status === 200) && BLOCKED.test(failure.code))
    return { state: 'blocked', why: failure.code };
  if (/^(Share|Container)(NotFound|BeingDeleted)$/i.test(failure.code)) {
    const { place } = SERVICE_WORDS[service];
    return {
      state: 'unknown',
      why: `${failure.code}: the ${place} does not exist any more; the next probe searches for another.`,
      gone: true,
    };
  }
  if (failure.code.toLowerCase() === ROLE_MISSING.toLowerCase()) {
    const role = `the app lacks the role ${SERVICE_WORDS[service].role} on the account, so the probe has no result`;
    return { state: 'unknown', why: `${ROLE_MISSING}: ${role}.` };
  }
  const advice = ADVICE[failure.code.toLowerCase()];
  return { state: 'unknown', why: advice ? `${failure.code}: ${advice}.` : describe(failure) };
}

import { createRemoteJWKSet, customFetch, errors, type FetchImplementation, type JWTVerifyGetKey } from 'jose';
import { messageOf } from '../errors.ts';
import { DAY_MS, HOUR_MS } from '../time/spans.ts';

/** The tenant's signing keys could not be fetched, so that nothing can be said about a token. */
export class SigningKeysError extends Error {
  constructor(cause: unknown) {
    super(`The signing keys cannot be fetched: ${messageOf(cause)}`, { cause });
    this.name = 'SigningKeysError';
  }
}

export interface SigningKeysOptions {
  readonly fetch?: FetchImplementation;
  /** Called with the error of every fetch that failed, also if no caller noticed the failure. */
  readonly onFailure?: (error: unknown) => void;
  /** A fetch may take this long, in milliseconds. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 3_000;
/** Keys older than this are fetched anew in the background. Milliseconds. */
const REFRESH_AFTER_MS = HOUR_MS;
/** Keys older than this are not used: a break-glass call survives a day of outage of the sign-in host. Milliseconds. */
const MAX_AGE_MS = DAY_MS;
/** An unknown `kid` leads to at most one fetch in this time. Milliseconds. */
const COOLDOWN_MS = 30_000;

/**
 * The keys that the tenant signs with, cached. A key that is not among them leads to a fetch, so that a rotation is
 * noticed at once, but not more often than the cooldown allows: made-up key ids must not flood the sign-in host.
 *
 * Ages are measured by the process clock, as `jose` does; the clock that a token is judged by is passed in elsewhere.
 *
 * @throws (from the returned function) {@link SigningKeysError} when keys are needed and cannot be fetched
 */
export function signingKeys(url: URL, options: SigningKeysOptions = {}): JWTVerifyGetKey {
  const { onFailure = () => {} } = options;
  const keys = createRemoteJWKSet(url, {
    ...(options.fetch ? { [customFetch]: options.fetch } : {}),
    timeoutDuration: options.timeoutMs ?? TIMEOUT_MS,
    cacheMaxAge: MAX_AGE_MS,
    cooldownDuration: COOLDOWN_MS,
  });
  let askedAt = 0;

  return async (header, token) => {
    const isOld = Date.now() - askedAt > REFRESH_AFTER_MS;
    if (isOld || !keys.fresh) askedAt = Date.now();
    // Not awaited: the keys at hand serve this call.
    if (isOld && keys.fresh) keys.reload().catch(onFailure);
    try {
      return await keys(header, token);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw error;
      if (error instanceof errors.JOSENotSupported) throw error;
      onFailure(error);
      throw new SigningKeysError(error);
    }
  };
}

import { createRemoteJWKSet, customFetch, errors, type FetchImplementation, type JWTVerifyGetKey } from 'jose';
import { getMessage } from '../errors/errors.ts';
import { DAY_MS, HOUR_MS } from '../formats/spans.ts';

/** The app could not fetch the tenant's signing keys, so it cannot validate any token. */
export class SigningKeysError extends Error {
  constructor(cause: unknown) {
    super(`The app could not fetch the signing keys: ${getMessage(cause)}`, { cause });
    this.name = 'SigningKeysError';
  }
}

export interface SigningKeysOptions {
  readonly fetch?: FetchImplementation;
  /** Called with the error of every failed fetch, even if the failure affected no caller. */
  readonly onFailure?: (error: unknown) => void;
  /** Deadline of a fetch, in milliseconds. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 3_000;
/** Age after which keys are refreshed in the background, in milliseconds. */
const REFRESH_AFTER_MS = HOUR_MS;
/**
 * Age after which keys are not used, in milliseconds: break-glass calls survive a day-long outage of the sign-in host.
 */
const MAX_AGE_MS = DAY_MS;
/** Minimum interval between fetches for an unknown `kid`, in milliseconds. */
const COOLDOWN_MS = 30_000;

/**
 * Caches the tenant's signing keys. An unknown key id triggers a fetch, which notices a key rotation immediately. The
 * cooldown limits these fetches, because forged key ids must not flood the sign-in host.
 *
 * Ages use the process clock, as `jose` does; the caller passes in the clock for token lifetimes separately.
 *
 * @throws (from the returned function) {@link SigningKeysError} when the app needs keys but cannot fetch them
 */
export function createSigningKeys(url: URL, options: SigningKeysOptions = {}): JWTVerifyGetKey {
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

    // Not awaited: the cached keys serve this call.
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

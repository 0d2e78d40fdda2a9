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
  /** Called after every failed fetch, also if no caller noticed the failure. */
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
/** The next fetch after a failed one waits so long. Milliseconds. */
const FAILURE_COOLDOWN_MS = 3_000;

/**
 * The keys that the tenant signs with, cached. A key that is not among them leads to a fetch, so that a rotation is
 * noticed at once, but not more often than the cooldown allows: made-up key ids must not flood the sign-in host.
 *
 * Ages are measured by the process clock, as `jose` does; the clock that a token is judged by is passed in elsewhere.
 *
 * @throws (from the returned function) {@link SigningKeysError} when keys are needed and cannot be fetched
 */
export function signingKeys(url: URL, options: SigningKeysOptions = {}): JWTVerifyGetKey {
  const fetchKeys = options.fetch ?? fetch;
  let fetchedAt = 0;
  let notBefore = 0;

  const guardedFetch: FetchImplementation = async (address, init) => {
    if (Date.now() < notBefore) throw new Error('the last attempt failed a moment ago');
    try {
      const text = await fetchKeySet(fetchKeys, address, init);
      fetchedAt = Date.now();
      return new Response(text);
    } catch (error) {
      notBefore = Date.now() + FAILURE_COOLDOWN_MS;
      options.onFailure?.(error);
      throw error;
    }
  };
  const keys = createRemoteJWKSet(url, {
    [customFetch]: guardedFetch,
    timeoutDuration: options.timeoutMs ?? TIMEOUT_MS,
    cacheMaxAge: MAX_AGE_MS,
    cooldownDuration: COOLDOWN_MS,
  });

  return async (header, token) => {
    // Not awaited: the keys at hand serve this call. A failure has been reported by then.
    if (keys.fresh && Date.now() - fetchedAt > REFRESH_AFTER_MS && !keys.reloading) keys.reload().catch(() => {});
    try {
      return await keys(header, token);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw error;
      if (error instanceof errors.JOSENotSupported) throw error;
      throw new SigningKeysError(error);
    }
  };
}

/** An empty set or a proxy's error page must not replace good keys, so the answer is checked before `jose` gets it. */
async function fetchKeySet(
  fetchKeys: FetchImplementation,
  address: string,
  init: Parameters<FetchImplementation>[1],
): Promise<string> {
  const answer = await fetchKeys(address, init);
  if (answer.status !== 200) throw new Error(`${address} answered ${answer.status}`);
  const text = await answer.text();
  const set: unknown = JSON.parse(text);
  const list = typeof set === 'object' && set !== null && 'keys' in set ? set.keys : undefined;
  if (!Array.isArray(list) || list.length === 0) throw new Error(`${address} answered without keys`);
  return text;
}

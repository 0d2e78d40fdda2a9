import { errors, jwtVerify } from 'jose';
import { getMessage } from '../errors/errors.ts';
import { REFUSALS, type Refusal } from '../errors/refusals.ts';
import type { HeaderReader } from './answers.ts';
import { type AuthConfig, getSigningKeysUrl, listAuthConfigProblems, listIssuers } from './auth-config.ts';
import { formatChallenge, HttpProblem } from './problem.ts';
import { createSigningKeys, SigningKeysError, type SigningKeysOptions } from './signing-keys.ts';
import { type Caller, describeCaller, readCaller } from './token-claims.ts';

/** Most that the clocks of Entra ID and of this machine may differ, in seconds. */
const CLOCK_SKEW_SECONDS = 60;

interface AuthenticatorOptions extends Omit<SigningKeysOptions, 'onFailure'> {
  /** Receives details that no caller may see: the invalid setting, or why the signing keys are unavailable. */
  readonly onRefusal?: (reason: Refusal, message: string, cause?: unknown) => void;
}

/**
 * Authenticates the caller by the token alone.
 *
 * @param now time at which the token must be valid
 * @throws {@link HttpProblem} 401, or 503 when the app cannot validate any token
 */
export type Authenticate = (headers: HeaderReader, now: Date) => Promise<Caller>;

/**
 * Creates the authenticator, once per process: it caches the tenant's signing keys. With invalid settings it rejects
 * every call.
 */
export function createAuthenticator(config: AuthConfig, options: AuthenticatorOptions = {}): Authenticate {
  const { onRefusal = () => {} } = options;
  const problems = listAuthConfigProblems(config);
  const tenantId = config.tenantId?.toLowerCase();
  if (problems.length > 0 || !tenantId) {
    return async () => {
      onRefusal('AuthNotConfigured', problems.join(' '));
      throw new HttpProblem('AuthNotConfigured');
    };
  }

  const keys = createSigningKeys(getSigningKeysUrl(config, tenantId), {
    ...options,
    onFailure: (error) => onRefusal('SigningKeysUnavailable', getMessage(error), error),
  });
  const accepted = listIssuers(config, tenantId);

  const callerOf = async (token: string, now: Date): Promise<Caller> => {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ['RS256'],
      issuer: [...accepted['1.0'], ...accepted['2.0']],
      audience: [...config.audiences],
      clockTolerance: CLOCK_SKEW_SECONDS,
      currentDate: now,
      requiredClaims: ['exp', 'nbf'],
    });

    const caller = readCaller(payload);
    if (!caller) throw refusal('TokenClaimsMissing');
    if (caller === 'unclear') throw refusal('TokenKindUnclear');

    const { version, ...who } = caller;
    const fits = who.tenantId === tenantId && accepted[version].includes(payload.iss ?? '');
    if (!fits) throw refusal('TokenOfOtherTenant');

    return who;
  };

  return async (headers, now) => {
    const token = readBearerToken(headers);
    try {
      return await callerOf(token, now);
    } catch (error) {
      throw toRefusal(error);
    }
  };
}

function toRefusal(error: unknown): unknown {
  if (error instanceof HttpProblem) return error;
  if (!(error instanceof SigningKeysError)) return refusal(reasonOf(error), error);
  return new HttpProblem('SigningKeysUnavailable', { cause: error, headers: { 'retry-after': '5' } });
}

function reasonOf(error: unknown): Refusal {
  if (error instanceof errors.JWTExpired) return 'TokenExpired';
  if (!(error instanceof errors.JWTClaimValidationFailed)) return 'TokenInvalid';
  if (error.reason === 'missing') return 'TokenClaimsMissing';

  switch (error.claim) {
    case 'nbf':
      return 'TokenNotYetValid';
    case 'iss':
      return 'TokenOfOtherTenant';
    case 'aud':
      return 'TokenForOtherAudience';
    default:
      return 'TokenClaimsMissing';
  }
}

function refusal(reason: Refusal, cause?: unknown): HttpProblem {
  return new HttpProblem(reason, {
    cause,
    logged: holderOf(cause),
    headers: { 'www-authenticate': formatChallenge('invalid_token', REFUSALS[reason].sentence) },
  });
}

/**
 * Holder of a rejected token with a valid signature, such as an expired token. Claims of a forged token are ignored.
 */
function holderOf(cause: unknown): Readonly<Record<string, unknown>> {
  const isGenuine = cause instanceof errors.JWTExpired || cause instanceof errors.JWTClaimValidationFailed;
  const caller = isGenuine ? readCaller(cause.payload) : undefined;
  return caller && caller !== 'unclear' ? describeCaller(caller) : {};
}

/** Largest Authorization header that is parsed, in characters. Entra ID caps groups, so its tokens are much smaller. */
const MAX_AUTHORIZATION_LENGTH = 16 * 1024;

/** A signed JWS in compact form. A joined header ("Bearer a, Bearer b") cannot match. */
const BEARER = /^Bearer +([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)$/i;

/**
 * Reads the token of a call from `Authorization` only: callers can forge `x-ms-client-principal` and similar headers
 * when App Service authentication is off.
 *
 * @throws {@link HttpProblem} 401 unless the header has exactly one token
 */
function readBearerToken(headers: HeaderReader): string {
  const header = headers.get('authorization');
  if (header === null || header.trim() === '') {
    throw new HttpProblem('TokenMissing', { headers: { 'www-authenticate': formatChallenge() } });
  }
  const token = header.length <= MAX_AUTHORIZATION_LENGTH ? BEARER.exec(header)?.[1] : undefined;
  if (token) return token;
  throw new HttpProblem('TokenMalformed', {
    headers: {
      'www-authenticate': formatChallenge('invalid_token', 'The header is not a single signed bearer token.'),
    },
  });
}

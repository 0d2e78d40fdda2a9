import { challenge } from './challenge.ts';
import type { HeaderReader } from './headers.ts';
import { HttpProblem } from './problem.ts';

/** Largest Authorization header that is looked at, in characters. Entra ID keeps tokens well below by capping groups. */
const MAX_AUTHORIZATION_LENGTH = 16 * 1024;

/** One JWS in compact form with a signature. A joined header ("Bearer a, Bearer b") cannot match. */
const BEARER = /^Bearer +([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)$/i;

/**
 * The token of a call. Only `Authorization` is read: `x-ms-client-principal` and the like can be sent by anyone when
 * App Service authentication is off, so they grant nothing.
 *
 * @throws {@link HttpProblem} 401 when there is none, or when it is not exactly one
 */
export function readBearerToken(headers: HeaderReader): string {
  const header = headers.get('authorization');
  if (header === null || header.trim() === '') {
    throw new HttpProblem(
      401,
      'TokenMissing',
      'The call carries no access token.',
      'Get a token for this API and send it as "Authorization: Bearer <token>".',
      { headers: { 'www-authenticate': challenge() } },
    );
  }
  const token = header.length <= MAX_AUTHORIZATION_LENGTH ? BEARER.exec(header)?.[1] : undefined;
  if (token) return token;
  throw new HttpProblem(
    401,
    'TokenMalformed',
    'The Authorization header is not one signed bearer token of reasonable size.',
    'Send one header "Authorization: Bearer <token>" with the token as it was issued.',
    { headers: { 'www-authenticate': challenge('invalid_token', 'Not one signed bearer token.') } },
  );
}

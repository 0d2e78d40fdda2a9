/** A request for a token that cannot be granted; the message says what to do. */
export class TokenError extends Error {
  override readonly name = 'TokenError';
}

/**
 * Asks the running local Azure for an access token of one of its sign-ins, for the app's API.
 *
 * @param claims a claims challenge in base64, which the sign-in satisfies
 * @throws {@link TokenError} when it is not running, or has no such sign-in.
 */
export async function requestToken(control: string, signIn: string, claims?: string): Promise<string> {
  let response: Response;
  try {
    response = await fetch(`${control}/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ signIn, claims }),
    });
  } catch (cause) {
    throw new TokenError(`The local Azure does not answer at ${control}. Start it: npm start -- --no-tour`, { cause });
  }

  const body = (await response.json()) as { access_token?: unknown; error?: unknown };
  if (typeof body.access_token === 'string') return body.access_token;

  throw new TokenError(typeof body.error === 'string' ? body.error : `The local Azure answered ${response.status}.`);
}

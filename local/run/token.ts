/** The token cannot be issued; the message has the next step. */
export class TokenError extends Error {
  override readonly name = 'TokenError';
}

/**
 * Requests an access token for the app's API from the running local Azure, for one of its sign-ins.
 *
 * @param claims a claims challenge in base64, which the token satisfies
 * @throws {@link TokenError} if the local Azure does not run, or has no such sign-in
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

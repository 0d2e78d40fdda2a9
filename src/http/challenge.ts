/**
 * Builds `WWW-Authenticate` (RFC 6750, section 3). A call without a token gets only the scheme.
 *
 * @param description plain ASCII without quotes or backslashes; an unauthenticated caller sees it
 * @param claims claims for the next token in base64, for `insufficient_claims`
 */
export function challenge(
  error?: 'invalid_request' | 'invalid_token' | 'insufficient_scope' | 'insufficient_claims',
  description?: string,
  claims?: string,
): string {
  const parts = ['Bearer realm="cmk-autopilot"'];
  if (error) parts.push(`error="${error}"`);
  if (description) parts.push(`error_description="${description}"`);
  if (claims) parts.push(`claims="${claims}"`);
  return parts.join(', ');
}

/**
 * Claims that a client requests from Entra ID, so the next token satisfies an authentication context. Source: Entra ID,
 * "claims challenges, claims requests and client capabilities".
 */
export function claimsFor(context: string): string {
  return Buffer.from(JSON.stringify({ access_token: { acrs: { essential: true, value: context } } })).toString(
    'base64',
  );
}

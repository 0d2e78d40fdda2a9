/**
 * Value of `WWW-Authenticate` (RFC 6750, section 3). A call without a token is told the scheme only.
 *
 * @param description plain ASCII without quotes or backslashes; it goes to an unknown caller
 */
export function challenge(
  error?: 'invalid_request' | 'invalid_token' | 'insufficient_scope',
  description?: string,
): string {
  const parts = ['Bearer realm="cmk-autopilot"'];
  if (error) parts.push(`error="${error}"`);
  if (description) parts.push(`error_description="${description}"`);
  return parts.join(', ');
}

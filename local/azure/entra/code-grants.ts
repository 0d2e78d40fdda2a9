import { createHash, randomBytes } from 'node:crypto';
import { CMK_API_CLIENT_ID } from '../constants.ts';
import type { Principal } from '../world.ts';

/** The validated query of `/authorize`. */
export interface Authorization {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly scope: string;
  readonly state: string;
  readonly nonce: string;
  readonly challenge: string;
  /** A claims challenge, as JSON. */
  readonly claims: string;
  readonly responseMode: 'fragment' | 'query';
  readonly prompt: string;
}

/** A code that can be redeemed once, by the client that has the verifier of its challenge. */
export interface CodeGrant extends Authorization {
  readonly user: Principal;
}

/** An unredeemed code expires after ten minutes, as in Entra ID. Milliseconds. */
const CODE_LIFE_MS = 10 * 60_000;

/** Authorization codes with PKCE that are not redeemed yet. */
export class CodeGrants {
  readonly #codes = new Map<string, CodeGrant & { readonly until: number }>();

  issue(authorization: Authorization, user: Principal): string {
    const code = randomBytes(32).toString('base64url');
    this.#codes.set(code, { ...authorization, user, until: Date.now() + CODE_LIFE_MS });
    return code;
  }

  /** The grant, or the AADSTS error. */
  redeem(form: URLSearchParams): CodeGrant | 'AADSTS70008' | 'AADSTS50011' | 'AADSTS501481' {
    const code = form.get('code') ?? '';
    const grant = this.#codes.get(code);

    this.#codes.delete(code);

    if (!grant || grant.until < Date.now()) return 'AADSTS70008';
    if (form.get('redirect_uri') !== grant.redirectUri || form.get('client_id') !== grant.clientId) {
      return 'AADSTS50011';
    }

    const hash = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');

    return hash === grant.challenge ? grant : 'AADSTS501481';
  }
}

/**
 * Reads the query of `/authorize`. Pages sign in only with the app's own registration, and run on this machine.
 *
 * @returns Entra ID's message if something is wrong
 */
export function readAuthorization(query: URLSearchParams): Authorization | string {
  const of = (name: string): string => query.get(name) ?? '';
  if (of('client_id').toLowerCase() !== CMK_API_CLIENT_ID) {
    return `AADSTS700016: Application with identifier '${of('client_id')}' was not found in the directory.`;
  }

  const redirectUri = of('redirect_uri');
  if (!isRegistered(redirectUri)) {
    return `AADSTS50011: The redirect URI '${redirectUri}' does not match the redirect URIs configured for the application.`;
  }

  if (of('response_type') !== 'code') {
    return 'AADSTS700054: Only the response_type code is enabled for the application.';
  }

  if (of('code_challenge') === '' || of('code_challenge_method') !== 'S256') {
    return 'AADSTS9002325: Proof Key for Code Exchange is required for cross-origin authorization code redemption.';
  }

  return {
    clientId: CMK_API_CLIENT_ID,
    redirectUri,
    scope: of('scope'),
    state: of('state'),
    nonce: of('nonce'),
    challenge: of('code_challenge'),
    claims: of('claims'),
    responseMode: of('response_mode') === 'query' ? 'query' : 'fragment',
    prompt: of('prompt'),
  };
}

/**
 * `http://127.0.0.1:7071/page/signed-in.html`: what `infra/entra.sh --page` registers, at any port, since Entra ID
 * ignores the port of loopback addresses. A sign-out returns to the same address, and to no other.
 */
export function isRegistered(uri: string): boolean {
  return /^https?:\/\/(?:127\.0\.0\.1|localhost)(?::\d{1,5})?\/page\/signed-in\.html$/.test(uri) && URL.canParse(uri);
}

/** The URL to which the browser returns with the answer. */
export function answerTo({ redirectUri, responseMode, state }: Authorization, answer: Record<string, string>): string {
  const parameters = new URLSearchParams({ ...answer, state });
  return `${redirectUri}${responseMode === 'query' ? '?' : '#'}${parameters}`;
}

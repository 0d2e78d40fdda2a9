import { randomBytes, randomUUID } from 'node:crypto';
import { CLIENT_IDS } from '../constants.ts';
import { asObject, asString } from '../json.ts';
import type { Principal, World } from '../world.ts';
import { type Authorization, CodeGrants } from './code-grants.ts';
import { type TokenAuthority, upnOf } from './token-authority.ts';

/** An OAuth answer: status and body. */
export interface OAuthAnswer {
  readonly status: 200 | 400 | 401;
  readonly body: Record<string, unknown>;
}

const DAY_MS = 24 * 3_600_000;

const CODE_REFUSALS = {
  AADSTS70008: 'The provided authorization code or refresh token has expired or was redeemed already.',
  AADSTS50011: 'The redirect URI or the client is not the one that the code was asked for by.',
  AADSTS501481: 'The Code_Verifier does not match the code_challenge supplied in the authorization request.',
} as const;

/** Issued codes and refresh tokens. */
export class Grants {
  readonly #world: World;
  readonly #tokens: TokenAuthority;
  readonly #deviceCodes = new Map<string, { scope: string; polls: number }>();
  /** Refresh tokens. A page's token expires after a day of the movable clock; a command line's does not. */
  readonly #refreshTokens = new Map<string, { readonly user: Principal; readonly untilMs?: number }>();
  readonly #codes = new CodeGrants();

  constructor(world: World, tokens: TokenAuthority) {
    this.#world = world;
    this.#tokens = tokens;
  }

  /** Starts a device-code sign-in. No user has to type the code: the tenant's owner signs in by the second poll. */
  deviceCode(form: URLSearchParams): OAuthAnswer {
    const code = randomBytes(32).toString('base64url');
    this.#deviceCodes.set(code, { scope: form.get('scope') ?? '', polls: 0 });

    const userCode = randomBytes(5).toString('hex').slice(0, 9).toUpperCase();

    return {
      status: 200,
      body: {
        user_code: userCode,
        device_code: code,
        verification_uri: 'https://microsoft.com/devicelogin',
        expires_in: 900,
        interval: 1,
        message: `The local Azure signs the owner in by itself: the code ${userCode} need not be entered.`,
      },
    };
  }

  /** Answers `POST /oauth2/v2.0/token`, and v1's `/oauth2/token`, which names a resource instead of scopes. */
  token(form: URLSearchParams): OAuthAnswer {
    switch (form.get('grant_type')) {
      case 'client_credentials':
        return this.#clientCredentials(form);
      case 'authorization_code':
        return this.#code(form);
      case 'device_code':
      case 'urn:ietf:params:oauth:grant-type:device_code':
        return this.#device(form);
      case 'refresh_token':
        return this.#refresh(form);
      default:
        return failure(
          400,
          'unsupported_grant_type',
          'AADSTS70003',
          `The app requested an unsupported grant type '${form.get('grant_type')}'.`,
        );
    }
  }

  #clientCredentials(form: URLSearchParams): OAuthAnswer {
    const clientId = (form.get('client_id') ?? '').toLowerCase();
    const principal = this.#world.principals.get(clientId);
    if (principal?.kind !== 'application') {
      return failure(
        400,
        'unauthorized_client',
        'AADSTS700016',
        `Application with identifier '${clientId}' was not found in the directory.`,
      );
    }

    if (form.get('client_secret') !== principal.secret) {
      return failure(401, 'invalid_client', 'AADSTS7000215', 'Invalid client secret provided.');
    }

    const resource = resourceOf(form);
    if (!resource) {
      return failure(
        400,
        'invalid_scope',
        'AADSTS1002012',
        'The provided value for scope is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier.',
      );
    }

    const { token, expiresIn } = this.#tokens.issue(principal, resource);

    return {
      status: 200,
      body: { token_type: 'Bearer', expires_in: expiresIn, ext_expires_in: expiresIn, access_token: token },
    };
  }

  #device(form: URLSearchParams): OAuthAnswer {
    const asked = this.#deviceCodes.get(form.get('device_code') ?? form.get('code') ?? '');
    if (!asked) return failure(400, 'bad_verification_code', 'AADSTS70019', 'Verification code expired.');

    asked.polls++;

    if (asked.polls < 2) {
      return failure(
        400,
        'authorization_pending',
        'AADSTS70016',
        'OAuth 2.0 device flow error. Authorization is pending. Continue polling.',
      );
    }

    const owner = this.#world.principals.get(CLIENT_IDS.ownerUser);
    if (!owner) {
      return failure(400, 'invalid_grant', 'AADSTS50034', 'The user account does not exist in the directory.');
    }

    return this.#userTokens(owner, asked.scope, form);
  }

  /** A code for a page. The page redeems it with the verifier of its challenge. */
  code(authorization: Authorization, user: Principal): string {
    return this.#codes.issue(authorization, user);
  }

  /** `client_info`, from which MSAL reads who signed in. */
  clientInfo({ objectId }: Principal): string {
    return Buffer.from(JSON.stringify({ uid: objectId, utid: this.#world.tenantId })).toString('base64url');
  }

  #code(form: URLSearchParams): OAuthAnswer {
    const grant = this.#codes.redeem(form);
    if (typeof grant === 'string') return failure(400, 'invalid_grant', grant, CODE_REFUSALS[grant]);
    const { user, scope, nonce, claims } = grant;
    return this.#userTokens(user, scope, form, { nonce, claims, untilMs: this.#world.clock.now().getTime() + DAY_MS });
  }

  #refresh(form: URLSearchParams): OAuthAnswer {
    const known = this.#refreshTokens.get(form.get('refresh_token') ?? '');
    if (known?.untilMs !== undefined && known.untilMs <= this.#world.clock.now().getTime()) {
      const why = 'The provided authorization code or refresh token has expired due to inactivity.';
      return failure(400, 'invalid_grant', 'AADSTS700082', why);
    }

    if (!known) {
      return failure(
        400,
        'invalid_grant',
        'AADSTS9002313',
        'Invalid request. The refresh token is malformed or invalid.',
      );
    }

    const { user, untilMs } = known;

    return this.#userTokens(user, form.get('scope') ?? '', form, untilMs === undefined ? {} : { untilMs });
  }

  #userTokens(
    user: Principal,
    scope: string,
    form: URLSearchParams,
    { nonce, claims, untilMs }: { readonly nonce?: string; readonly claims?: string; readonly untilMs?: number } = {},
  ): OAuthAnswer {
    const resource =
      resourceOf(new URLSearchParams({ scope, resource: form.get('resource') ?? '' })) ??
      'https://management.core.windows.net/';
    const clientId = form.get('client_id') ?? '';
    const { token, expiresIn } = this.#tokens.issue(user, resource, {
      clientId,
      authContexts: authContextsIn(claims || (form.get('claims') ?? '')),
      claims: { upn: upnOf(user), unique_name: upnOf(user) },
    });

    const refreshToken = randomBytes(32).toString('base64url');

    this.#refreshTokens.set(refreshToken, { user, ...(untilMs === undefined ? {} : { untilMs }) });

    const idToken = this.#tokens.issue(user, clientId, {
      claims: {
        iss: `https://login.microsoftonline.com/${this.#world.tenantId}/v2.0`,
        aud: clientId,
        preferred_username: upnOf(user),
        ver: '2.0',
        ...(nonce ? { nonce } : {}),
      },
    });

    return {
      status: 200,
      body: {
        token_type: 'Bearer',
        scope,
        expires_in: expiresIn,
        ext_expires_in: expiresIn,
        access_token: token,
        refresh_token: refreshToken,
        id_token: idToken.token,
        client_info: this.clientInfo(user),
        foci: '1',
      },
    };
  }
}

/** The resource of a token request: v1's `resource`, or the scope that is not one of OpenID's. */
export function resourceOf(form: URLSearchParams): string | undefined {
  const resource = form.get('resource');
  if (resource) return resource;
  const scope = (form.get('scope') ?? '')
    .split(' ')
    .find((item) => item && !['openid', 'profile', 'offline_access', 'email'].includes(item));
  if (!scope) return undefined;
  // In `https://management.core.windows.net//.default` the resource itself ends in a slash.
  return scope.endsWith('/.default') ? scope.slice(0, -'/.default'.length) : scope.slice(0, scope.lastIndexOf('/'));
}

/**
 * The authentication contexts that a claims challenge requires. A sign-in that answers the challenge satisfies them.
 */
export function authContextsIn(claims: string): string[] {
  try {
    const asked = asObject(asObject(JSON.parse(claims))?.access_token)?.acrs;
    const value = asString(asObject(asked)?.value);
    return value === undefined ? [] : [value];
  } catch {
    return []; // not a challenge
  }
}

function failure(status: 400 | 401, error: string, code: string, description: string): OAuthAnswer {
  const id = randomUUID();
  const time = new Date().toISOString().replace('T', ' ').replace(/\.\d+/, '');

  return {
    status,
    body: {
      error,
      error_description: `${code}: ${description} Trace ID: ${id} Correlation ID: ${id} Timestamp: ${time}`,
      error_codes: [Number(code.replace('AADSTS', ''))],
      timestamp: time,
      trace_id: id,
      correlation_id: id,
    },
  };
}

import { randomBytes, sign, verify } from 'node:crypto';
import { AZURE_CLI_CLIENT_ID, CMK_API_AUDIENCE, CMK_API_CLIENT_ID, CMK_API_SCOPE } from '../constants.ts';
import { asObject, asString } from '../json.ts';
import type { Caller } from '../service.ts';
import type { Principal, World } from '../world.ts';
import { newSigningKey, type SigningKey, toJwk } from './signing-keys.ts';

/** Overrides for tests of a validator: any claim or header field; undefined removes it. */
export interface TokenOptions {
  readonly claims?: Record<string, unknown>;
  readonly header?: Record<string, unknown>;
  /** The client with which a user signs in, by default the Azure CLI. An application is its own client. */
  readonly clientId?: string;
  /** Authentication contexts that the sign-in satisfies. */
  readonly authContexts?: readonly string[];
  /** Seconds until expiry; by default a little over an hour, as in Entra ID. */
  readonly lifetimeSeconds?: number;
}

const lifetimeSeconds = 3_900;

/** How a client authenticated, as `azpacr` has it: with nothing, a secret or a certificate. */
const AUTHENTICATIONS: Readonly<Record<Principal['kind'], string>> = {
  user: '0',
  application: '1',
  managedIdentity: '2',
};

/**
 * Issues and verifies the tenant's access tokens (RS256).
 *
 * A token is valid from real time on: most validators and caches use the machine's clock, and would reject one from a
 * moved clock as not yet valid. It expires by the movable clock if the app follows that clock, else by real time. The
 * local Azure itself accepts it until it expires in real time, so that moving the clock ends no sign-in.
 */
export class TokenAuthority {
  readonly #world: World;
  #keys: SigningKey[] = [newSigningKey()];
  readonly #verified = new Map<string, { caller: Caller; expiresMs: number }>();

  constructor(world: World) {
    this.#world = world;
  }

  /**
   * Signs with a new key from now on. The old ones stay in the key set, unless `withdraw`: then their tokens become
   * invalid.
   */
  rotateKeys(options: { withdraw?: boolean } = {}): void {
    this.#keys = [newSigningKey(), ...(options.withdraw ? [] : this.#keys)];
    if (options.withdraw) this.#verified.clear();
  }

  /** The body of `jwks_uri`. */
  jwks(): { keys: Record<string, unknown>[] } {
    const issuer = `https://login.microsoftonline.com/${this.#world.tenantId}/v2.0`;
    return { keys: this.#keys.map((key) => toJwk(key, issuer)) };
  }

  /**
   * An access token for a resource, with the claims of the version that the resource accepts: v2 for the app's API
   * (`aud` is its client id), v1 for Microsoft's own (`aud` as requested).
   */
  issue(
    principal: Principal,
    resource: string,
    options: TokenOptions = {},
  ): { token: string; expiresIn: number; expiresOn: number } {
    const now = Math.floor(Date.now() / 1000);
    const { clock } = this.#world;
    const life = options.lifetimeSeconds ?? lifetimeSeconds;
    const expiresOn = (clock.isFollowed ? clock.nowSeconds() : now) + life;
    const api = isOwnApi(resource);
    const common = {
      iat: now,
      nbf: now - 300,
      exp: expiresOn,
      aio: randomBytes(24).toString('base64url'),
      oid: principal.objectId,
      sub: principal.objectId,
      tid: this.#world.tenantId,
      uti: randomBytes(16).toString('base64url'),
      ...(principal.kind === 'user'
        ? { idtyp: 'user', name: principal.displayName, scp: api ? CMK_API_SCOPE : 'user_impersonation' }
        : { idtyp: 'app' }),
      ...(options.authContexts?.length ? { acrs: options.authContexts } : {}),
    };

    const client = principal.kind === 'user' ? (options.clientId ?? AZURE_CLI_CLIENT_ID) : principal.clientId;
    const authentication = AUTHENTICATIONS[principal.kind];
    const versioned = api
      ? {
          aud: CMK_API_CLIENT_ID,
          iss: `https://login.microsoftonline.com/${this.#world.tenantId}/v2.0`,
          azp: client,
          azpacr: authentication,
          ver: '2.0',
          ...(principal.kind === 'user' ? { preferred_username: upnOf(principal) } : {}),
          ...(principal.appRoles.length > 0 ? { roles: principal.appRoles } : {}),
        }
      : {
          aud: resource,
          iss: `https://sts.windows.net/${this.#world.tenantId}/`,
          appid: client,
          appidacr: authentication,
          idp: `https://sts.windows.net/${this.#world.tenantId}/`,
          ver: '1.0',
        };

    const [key] = this.#keys as [SigningKey];
    const header = { typ: 'JWT', alg: 'RS256', kid: key.kid, ...(api ? {} : { x5t: key.kid }), ...options.header };
    const claims: Record<string, unknown> = { ...versioned, ...common, ...options.claims };
    const signed = `${encode(header)}.${encode(claims)}`;
    const signature = sign('sha256', Buffer.from(signed), key.privateKey).toString('base64url');

    return { token: `${signed}.${signature}`, expiresIn: life - 1, expiresOn };
  }

  /** The caller that an `Authorization` header proves; undefined without a valid bearer token. */
  callerOf(authorization: string | undefined): Caller | undefined {
    const token = /^Bearer ([\w.-]+)$/i.exec(authorization ?? '')?.[1];
    if (!token) return undefined;

    const known = this.#verified.get(token);
    if (known) return known.expiresMs > Date.now() ? known.caller : undefined;

    const claims = this.#verify(token);
    const audience = asString(claims?.aud);
    const objectId = asString(claims?.oid);
    if (!claims || !audience || !objectId) return undefined;

    const principal = findPrincipal(this.#world, objectId);
    if (!principal) return undefined;
    if (this.#verified.size > 10_000) this.#verified.clear();

    const caller = { principal, audience, claims };

    this.#verified.set(token, { caller, expiresMs: Number(claims.exp) * 1000 });

    return caller;
  }

  #verify(token: string): Record<string, unknown> | undefined {
    const [header = '', payload = '', signature = ''] = token.split('.');
    try {
      const { kid, alg } = asObject(JSON.parse(Buffer.from(header, 'base64url').toString())) ?? {};
      const key = this.#keys.find((candidate) => candidate.kid === kid);
      if (!key || alg !== 'RS256') return undefined;

      const genuine = verify(
        'sha256',
        Buffer.from(`${header}.${payload}`),
        key.publicKey,
        Buffer.from(signature, 'base64url'),
      );

      const claims = asObject(JSON.parse(Buffer.from(payload, 'base64url').toString()));
      const now = Date.now() / 1000;

      return genuine && claims && Number(claims.exp) > now && Number(claims.nbf) <= now ? claims : undefined;
    } catch {
      return undefined; // not a JWT
    }
  }
}

/** A user's sign-in name. */
export function upnOf(user: Principal): string {
  return `${user.displayName}@local.onmicrosoft.com`;
}

/** Whether a resource or audience is the app's own API. */
function isOwnApi(resource: string): boolean {
  return resource === CMK_API_AUDIENCE || resource === CMK_API_CLIENT_ID || resource === `api://${CMK_API_CLIENT_ID}`;
}

/** A sign-in or a user-assigned identity of the tenant, by object id. */
function findPrincipal(world: World, objectId: string): Principal | undefined {
  for (const principal of world.principals.values()) {
    if (principal.objectId === objectId) return principal;
  }
  for (const identity of world.identities.values()) {
    if (identity.principalId === objectId) return identityPrincipal(identity);
  }
  return undefined;
}

/** A user-assigned identity as a principal. */
export function identityPrincipal(identity: { name: string; clientId: string; principalId: string }): Principal {
  return {
    displayName: identity.name,
    clientId: identity.clientId,
    objectId: identity.principalId,
    secret: '',
    kind: 'managedIdentity',
    appRoles: [],
  };
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose';
import type { AuthConfig } from '../../src/http/auth-config.ts';

export const TENANT = '11111111-2222-3333-4444-555555555555';
export const OTHER_TENANT = '99999999-2222-3333-4444-555555555555';
export const CLIENT_ID = 'aaaaaaaa-0000-0000-0000-000000000001';
export const APP_ID_URI = `api://${CLIENT_ID}`;
export const NOW = new Date('2026-11-24T03:00:00Z');

interface SigningKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
}

export interface IssueOptions {
  readonly version?: '1.0' | '2.0';
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Seconds from NOW. */
  readonly notBefore?: number;
  readonly expires?: number;
  readonly kid?: string;
  readonly key?: SigningKey;
}

/** A tenant of Entra ID on loopback: signs access tokens as it does and serves the keys for them. */
export async function startTenant() {
  let current = await makeKey('key-1');
  let published: readonly JWK[] = [current.jwk];
  let answer: { readonly status: number; readonly body: string } | undefined;
  let asked = 0;
  const paths: string[] = [];
  const server = createServer((request, response) => {
    asked += 1;
    paths.push(request.url ?? '');
    const { status, body } = answer ?? { status: 200, body: JSON.stringify({ keys: published }) };
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  });

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const host = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const config: AuthConfig = {
    cloud: { name: 'AzureCloud', authorityHost: host, tokenIssuerV1: 'https://sts.windows.net' },
    tenantId: TENANT,
    audiences: [CLIENT_ID, APP_ID_URI],
  };

  function claims(version: '1.0' | '2.0'): Record<string, unknown> {
    const common = {
      tid: TENANT,
      oid: 'bbbbbbbb-0000-0000-0000-000000000001',
      uti: 'uti-0001',
      ver: version,
      roles: ['CmkKey.Read', 'CmkKey.Revoke'],
    };

    return version === '2.0'
      ? {
          ...common,
          iss: `${host}/${TENANT}/v2.0`,
          aud: CLIENT_ID,
          azp: CLIENT_ID,
          azpacr: '1',
          preferred_username: 'revoker@example.com',
          scp: 'access_as_user',
        }
      : {
          ...common,
          iss: `https://sts.windows.net/${TENANT}/`,
          aud: APP_ID_URI,
          appid: CLIENT_ID,
          appidacr: '1',
          app_displayname: 'Incident runbook',
        };
  }

  return {
    config,
    host,
    paths,
    claims,
    requests: () => asked,
    publicKeyPem: () => exportSPKI(current.publicKey),
    /** The tenant's own key, to sign in a way that the tenant never does. */
    privateJwk: () => exportJWK(current.privateKey),
    /** What the keys' address answers from now on; undefined: the keys. */
    setAnswer(next: typeof answer) {
      answer = next;
    },
    /** Signs with a new key; the old one stays published, as Entra ID does. */
    async rotate(kid: string) {
      current = await makeKey(kid);
      published = [...published, current.jwk];
    },
    async issue(options: IssueOptions = {}): Promise<string> {
      const now = Math.floor(NOW.getTime() / 1000);
      const key = options.key ?? current;
      const payload = { ...claims(options.version ?? '2.0'), ...options.claims };
      const jwt = new SignJWT(JSON.parse(JSON.stringify(payload)))
        .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: options.kid ?? key.kid })
        .setIssuedAt(now)
        .setNotBefore(now + (options.notBefore ?? -300))
        .setExpirationTime(now + (options.expires ?? 3600));
      return jwt.sign(key.privateKey);
    },
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

export type Tenant = Awaited<ReturnType<typeof startTenant>>;

export async function makeKey(kid: string): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid, use: 'sig' };
  return { kid, privateKey, publicKey, jwk };
}

export function bearer(token: string, more: Readonly<Record<string, string>> = {}): Headers {
  return new Headers({ authorization: `Bearer ${token}`, ...more });
}

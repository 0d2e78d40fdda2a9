import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { importJWK, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HeaderReader } from '../../src/http/answers.ts';
import { type Authenticate, createAuthenticator } from '../../src/http/caller.ts';
import { HttpProblem } from '../../src/http/problem.ts';
import {
  APP_ID_URI,
  bearer,
  CLIENT_ID,
  type IssueOptions,
  makeKey,
  NOW,
  OTHER_TENANT,
  startTenant,
  TENANT,
  type Tenant,
} from './tenant.ts';

let tenant: Tenant;
let authenticate: Authenticate;
beforeAll(async () => {
  tenant = await startTenant();
  authenticate = createAuthenticator(tenant.config);
});
afterAll(() => tenant.close());

/** The refusal of a call, which must be one that is meant for the caller. */
async function refusal(headers: HeaderReader, by: Authenticate = authenticate): Promise<HttpProblem> {
  const outcome = await by(headers, NOW).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(HttpProblem);
  return outcome as HttpProblem;
}

const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('a caller with a valid token', () => {
  it('A person is authenticated by a v2.0 token', async () => {
    expect(await authenticate(bearer(await tenant.issue()), NOW)).toEqual({
      objectId: 'bbbbbbbb-0000-0000-0000-000000000001',
      appId: CLIENT_ID,
      tenantId: TENANT,
      kind: 'person',
      roles: ['CmkKey.Read', 'CmkKey.Revoke'],
      scopes: ['access_as_user'],
      authContexts: [],
      tokenId: 'uti-0001',
      name: 'revoker@example.com',
    });
  });

  it('An application is authenticated by a v1.0 token, for the App ID URI', async () => {
    const caller = await authenticate(bearer(await tenant.issue({ version: '1.0' })), NOW);
    expect(caller).toMatchObject({ kind: 'application', appId: CLIENT_ID, name: 'Incident runbook' });
  });

  it.each<[string, IssueOptions]>([
    ['v1.0 token for the client id', { version: '1.0', claims: { aud: CLIENT_ID } }],
    ['v2.0 token whose object id is in capitals', { claims: { oid: 'BBBBBBBB-0000-0000-0000-000000000001' } }],
    ['token that expired within the skew', { expires: -55 }],
    ['token that becomes valid within the skew', { notBefore: 55 }],
  ])('A caller is authenticated by a %s, whatever the letter case of the scheme', async (_, options) => {
    const headers = new Headers({ authorization: `bearer ${await tenant.issue(options)}` });
    expect((await authenticate(headers, NOW)).objectId).toBe('bbbbbbbb-0000-0000-0000-000000000001');
  });

  it('A caller has no unknown roles, and none if the token has none', async () => {
    const some = await tenant.issue({ claims: { roles: ['Other.Role', 'CmkKey.Restore', 'cmkkey.revoke'] } });
    expect((await authenticate(bearer(some), NOW)).roles).toEqual(['CmkKey.Restore']);
    const none = await tenant.issue({ claims: { roles: undefined } });
    expect((await authenticate(bearer(none), NOW)).roles).toEqual([]);
  });

  it('A caller has a name that is safe in a log line', async () => {
    const token = await tenant.issue({ claims: { preferred_username: `eve\r\n\u202e${'x'.repeat(500)}` } });
    const { name } = await authenticate(bearer(token), NOW);
    expect(name).toBe(`eve${'x'.repeat(125)}`);
  });

  it('Callers are authenticated with the keys of the configured tenant only', () => {
    expect(new Set(tenant.paths)).toEqual(new Set([`/${TENANT}/discovery/v2.0/keys`]));
  });
});

describe('a token is that of a person or of an application', () => {
  it.each<[string, Record<string, unknown>, 'person' | 'application' | undefined]>([
    ['a delegated token', { scp: 'access_as_user' }, 'person'],
    ['a delegated token that says so', { scp: 'access_as_user', idtyp: 'user' }, 'person'],
    ['a person by a web app with a secret', { scp: 'openid access_as_user', azpacr: '1' }, 'person'],
    ['a token without a scope, by a secret', { scp: undefined, azpacr: '1' }, 'application'],
    ['a token without a scope, by a certificate', { scp: undefined, azpacr: '2', idtyp: 'app' }, 'application'],
    ['a token without a scope that does not name its secret', { scp: undefined, azpacr: undefined }, 'application'],
    ['a token without a scope, by a client that proved nothing', { scp: undefined, azpacr: '0' }, undefined],
    ['a scope, and "app"', { scp: 'access_as_user', idtyp: 'app' }, undefined],
    ['no scope, and "user"', { scp: undefined, azpacr: '1', idtyp: 'user' }, undefined],
    ['no scope, and a word that is not known', { scp: undefined, azpacr: '1', idtyp: 'device' }, undefined],
    ['a scope, and a word that is not known', { scp: 'access_as_user', idtyp: 'device' }, undefined],
    ['an empty scope', { scp: '', azpacr: '1' }, undefined],
    ['a blank scope', { scp: ' ', azpacr: '1' }, undefined],
  ])(
    'A token is that of a person or of an application by its claims, or else rejected: %s',
    async (_, claims, kind) => {
      const token = await tenant.issue({ claims });
      if (kind) expect(await authenticate(bearer(token), NOW)).toMatchObject({ kind });
      else expect(await refusal(bearer(token))).toMatchObject({ status: 401, reason: 'TokenKindUnclear' });
    },
  );

  it('A token of version 1.0 is that of a person or of an application by the claim of that version, appidacr', async () => {
    const claims = { appidacr: '0', azpacr: '1' };
    expect(await refusal(bearer(await tenant.issue({ version: '1.0', claims })))).toMatchObject({
      reason: 'TokenKindUnclear',
    });
  });

  it('A token has a list of authentication contexts, or none', async () => {
    const contexts = async (acrs: unknown) =>
      (await authenticate(bearer(await tenant.issue({ claims: { acrs } })), NOW)).authContexts;
    expect(await contexts(['c1', 'c2'])).toEqual(['c1', 'c2']);
    for (const rubbish of ['c1', 1, { c1: true }, [1]]) expect(await contexts(rubbish)).toEqual([]);
  });
});

describe('a rejected token', () => {
  it('The log names the caller of a rejected token if its signature is valid', async () => {
    const problem = await refusal(bearer(await tenant.issue({ expires: -61 })));
    expect(problem.logged).toEqual({
      caller: 'bbbbbbbb-0000-0000-0000-000000000001',
      kind: 'person',
      client: CLIENT_ID,
      tokenId: 'uti-0001',
    });
  });

  it('The log does not name the caller of a forged token', async () => {
    const problem = await refusal(bearer(await tenant.issue({ expires: -61, key: await makeKey('key-1') })));
    expect(problem.logged).toEqual({});
  });
});

/** A token signed by `key` in a way of its own. */
async function signed(key: Parameters<SignJWT['sign']>[0], header: object, claims: object = { exp: 4_000_000_000 }) {
  return new SignJWT({ ...tenant.claims('2.0'), nbf: 0, ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: 'key-1', ...header })
    .sign(key);
}

describe('a call without a valid token', () => {
  it('A call without a token is rejected', async () => {
    const problem = await refusal(new Headers());
    expect(problem).toMatchObject({ status: 401, reason: 'TokenMissing' });
    expect(problem.headers['www-authenticate']).toBe('Bearer realm="cmk-autopilot"');
  });

  it('A call with an expired token is rejected, with a challenge that says so', async () => {
    expect((await refusal(bearer(await tenant.issue({ expires: -61 })))).headers['www-authenticate']).toBe(
      'Bearer realm="cmk-autopilot", error="invalid_token", error_description="The access token has expired."',
    );
  });

  it.each<[string, IssueOptions, string]>([
    ['expired', { expires: -61 }, 'TokenExpired'],
    ['not yet valid', { notBefore: 61 }, 'TokenNotYetValid'],
    ['tid of another tenant beside the right issuer', { claims: { tid: OTHER_TENANT } }, 'TokenOfOtherTenant'],
    [
      'issuer of the other token version',
      { claims: { iss: `https://sts.windows.net/${TENANT}/` } },
      'TokenOfOtherTenant',
    ],
    ['other audience', { claims: { aud: 'https://management.azure.com' } }, 'TokenForOtherAudience'],
    ['an ID token: it names no client', { claims: { azp: undefined } }, 'TokenClaimsMissing'],
    ['no oid', { claims: { oid: undefined } }, 'TokenClaimsMissing'],
    ['an oid that is no GUID', { claims: { oid: 'me' } }, 'TokenClaimsMissing'],
    ['no tid', { claims: { tid: undefined } }, 'TokenClaimsMissing'],
    ['no version', { claims: { ver: undefined } }, 'TokenClaimsMissing'],
    ['roles that are no list', { claims: { roles: 'CmkKey.Revoke' } }, 'TokenClaimsMissing'],
    ['several audiences', { claims: { aud: [CLIENT_ID, 'https://management.azure.com'] } }, 'TokenClaimsMissing'],
  ])('A call whose token has a wrong claim is rejected: %s', async (_, options, reason) => {
    expect(await refusal(bearer(await tenant.issue(options)))).toMatchObject({ status: 401, reason });
  });

  it('A call whose token has an issuer of another tenant, or a similar one, is rejected', async () => {
    for (const ending of [`${OTHER_TENANT}/v2.0`, TENANT, `${TENANT}/`, `${TENANT}/v2.0/`, `${TENANT}/V2.0`]) {
      const token = await tenant.issue({ claims: { iss: `${tenant.host}/${ending}` } });
      expect(await refusal(bearer(token)), ending).toMatchObject({ reason: 'TokenOfOtherTenant' });
    }
  });

  it.each<[string, () => Promise<string>]>([
    ['garbage in the shape of a token', async () => 'abc.def.ghi'],
    [
      'alg none, with a signature',
      async () => {
        const [, payload, signature] = (await tenant.issue()).split('.');
        return `${base64url({ alg: 'none', typ: 'JWT', kid: 'key-1' })}.${payload}.${signature}`;
      },
    ],
    [
      'HS256 with the public key as the secret',
      async () => {
        const [, payload] = (await tenant.issue()).split('.');
        const text = `${base64url({ alg: 'HS256', typ: 'JWT', kid: 'key-1' })}.${payload}`;
        return `${text}.${createHmac('sha256', await tenant.publicKeyPem())
          .update(text)
          .digest('base64url')}`;
      },
    ],
    ...['PS256', 'RS384', 'RS512'].map((alg): [string, () => Promise<string>] => [
      `signed ${alg} with the tenant's own key: the algorithm is pinned`,
      async () => signed(await importJWK(await tenant.privateJwk(), alg), { alg }),
    ]),
    [
      'a key that the token brings along (jwk, jku)',
      async () => {
        const { jwk, privateKey } = await makeKey('key-1');
        return signed(privateKey, { jwk, jku: 'https://attacker.example/keys' });
      },
    ],
    ['right kid, signed with another key', async () => tenant.issue({ key: await makeKey('key-1') })],
    ['unknown kid', async () => tenant.issue({ key: await makeKey('never-published') })],
  ])('A call with a token that is invalid is rejected: %s', async (_, token) => {
    expect(await refusal(bearer(await token()))).toMatchObject({ status: 401, reason: 'TokenInvalid' });
  });

  it('A call with forged EasyAuth headers and no token is rejected', async () => {
    const principal = { auth_typ: 'aad', claims: [{ typ: 'roles', val: 'CmkKey.Revoke' }] };
    const headers = new Headers({
      'x-ms-client-principal': Buffer.from(JSON.stringify(principal)).toString('base64'),
      'x-ms-client-principal-id': 'bbbbbbbb-0000-0000-0000-000000000001',
      'x-ms-client-principal-name': 'operator@example.com',
      'x-ms-client-principal-idp': 'aad',
      'x-ms-token-aad-access-token': await tenant.issue(),
    });
    expect(await refusal(headers)).toMatchObject({ status: 401, reason: 'TokenMissing' });
  });

  it('A caller has only the roles of its token, whatever forged EasyAuth headers add', async () => {
    const forged = { 'x-ms-client-principal': base64url({ claims: [{ typ: 'roles', val: 'CmkKey.Restore' }] }) };
    const caller = await authenticate(bearer(await tenant.issue({ claims: { roles: [] } }), forged), NOW);
    expect(caller.roles).toEqual([]);
  });

  it('A call with a token without an expiry is rejected', async () => {
    const key = await makeKey('key-x');
    tenant.setAnswer({ status: 200, body: JSON.stringify({ keys: [key.jwk] }) });
    const fresh = createAuthenticator(tenant.config);
    const token = await signed(key.privateKey, { kid: 'key-x' }, {});
    expect(await refusal(bearer(token), fresh)).toMatchObject({ status: 401, reason: 'TokenClaimsMissing' });
    tenant.setAnswer(undefined);
  });

  it('A call with two Authorization headers, which arrive joined by a comma, is rejected', async () => {
    const headers = bearer(await tenant.issue());
    headers.append('authorization', `Bearer ${await tenant.issue()}`);
    expect(await refusal(headers)).toMatchObject({ status: 401, reason: 'TokenMalformed' });
  });

  it.each([
    ['garbage', 'Bearer garbage'],
    ['alg none, without a signature', `Bearer ${base64url({ alg: 'none', typ: 'JWT' })}.e30.`],
    ['another scheme', 'Basic dXNlcjpwYXNz'],
    ['no scheme', 'aaa.bbb.ccc'],
    ['a line break', 'Bearer aaa.bbb.ccc\r\nx: y'],
    ['five parts (encrypted)', 'Bearer a.b.c.d.e'],
    ['an oversized token', `Bearer ${'a'.repeat(20_000)}.b.c`],
  ])('A call with a malformed Authorization header is rejected: %s', async (_, authorization) => {
    const headers = { get: (name: string) => (name === 'authorization' ? authorization : null) };
    expect(await refusal(headers)).toMatchObject({ status: 401, reason: 'TokenMalformed' });
  });

  it('A call with a random Authorization header is rejected, and the answer does not repeat it', async () => {
    const token = await tenant.issue();
    const part = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.constantFrom('Bearer ', 'bearer', ' ', ',', '.', '..', 'none', ...token.split('.')),
      fc.base64String({ maxLength: 60 }),
    );

    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 8 }), async (parts) => {
        const authorization = parts.join('');
        fc.pre(authorization !== `Bearer ${token}`);
        const problem = await refusal({ get: (name) => (name === 'authorization' ? authorization : null) });
        expect(problem.status).toBe(401);
        expect(problem.message + problem.nextStep + problem.headers['www-authenticate']).not.toContain(
          authorization.trim().length > 20 ? authorization.trim() : '\0',
        );
      }),
      { numRuns: 300 },
    );
  });
});

describe('wrong settings of authentication', () => {
  it.each<[string, Partial<Tenant['config']>, RegExp]>([
    ['no tenant', { tenantId: undefined }, /^CMK_TENANT_ID is missing/],
    ['an empty tenant', { tenantId: ' ' }, /^CMK_TENANT_ID is missing/],
    ['a domain as the tenant', { tenantId: 'contoso.onmicrosoft.com' }, /^CMK_TENANT_ID is not a GUID/],
    ['any tenant', { tenantId: 'common' }, /^CMK_TENANT_ID is not a GUID/],
    ['no audience', { audiences: [] }, /^CMK_API_AUDIENCE is missing/],
    ['a wildcard as the audience', { audiences: ['*'] }, /^CMK_API_AUDIENCE: "\*"/],
    ['one wrong audience of two', { audiences: [APP_ID_URI, ''] }, /^CMK_API_AUDIENCE: ""/],
  ])('Every call is rejected while the settings have %s, and the log names the setting', async (_, wrong, line) => {
    const logged: string[] = [];
    const broken = createAuthenticator(
      { ...tenant.config, ...wrong },
      { onRefusal: (reason, message) => logged.push(`${reason} ${message}`) },
    );

    for (const headers of [new Headers(), bearer(await tenant.issue())]) {
      const problem = await refusal(headers, broken);
      expect(problem).toMatchObject({ status: 503, reason: 'AuthNotConfigured' });
      expect(JSON.stringify([problem.message, problem.nextStep, problem.extensions])).not.toMatch(/CMK_|contoso/);
    }

    expect(logged).toHaveLength(2);
    expect(logged[0]?.replace('AuthNotConfigured ', '')).toMatch(line);
  });
});

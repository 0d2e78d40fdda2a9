import { createHash } from 'node:crypto';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import { CLIENT_IDS, CMK_API_AUDIENCE, CMK_API_CLIENT_ID, TENANT_ID } from '../../local/azure/constants.ts';
import { useLocalAzure } from '../support/local-azure.ts';
import { signIn } from './support.ts';

const local = useLocalAzure({ fleet: 'sample' });
const login = `https://login.microsoftonline.com/${TENANT_ID}`;

function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

async function token(form: Record<string, string>, path = '/oauth2/v2.0/token') {
  const response = await fetch(`${login}${path}`, { method: 'POST', body: new URLSearchParams(form) });
  return { status: response.status, body: (await response.json()) as Record<string, string> };
}

function credentials(name: keyof typeof CLIENT_IDS) {
  return {
    grant_type: 'client_credentials',
    client_id: CLIENT_IDS[name],
    client_secret: signIn(local.azure, name).secret,
  };
}

describe('client credentials', () => {
  it('Client credentials give an application a v2 token of the API with its roles, and no scope', async () => {
    const { body } = await token({ ...credentials('robot'), scope: `${CMK_API_AUDIENCE}/.default` });
    const claims = claimsOf(body.access_token ?? '');
    const now = Date.now() / 1000;

    expect(claims).toMatchObject({
      aud: CMK_API_CLIENT_ID,
      iss: `${login}/v2.0`,
      azp: CLIENT_IDS.robot,
      azpacr: '1',
      idtyp: 'app',
      oid: signIn(local.azure, 'robot').objectId,
      tid: TENANT_ID,
      ver: '2.0',
      uti: expect.any(String),
      roles: ['CmkKey.Restore'],
    });

    expect(claims).not.toHaveProperty('scp');
    expect(Number(claims.nbf)).toBeLessThanOrEqual(now);
    expect(Number(claims.exp)).toBeGreaterThan(now + 3000);
  });

  it('A token is valid in real time, whatever the clock of the local Azure shows', async () => {
    local.azure.clock.advance(40 * 24 * 3_600_000);
    const { body } = await token({ ...credentials('robot'), scope: `${CMK_API_AUDIENCE}/.default` });
    const keySet = createRemoteJWKSet(new URL(`${login}/discovery/v2.0/keys`));
    await expect(jwtVerify(body.access_token ?? '', keySet)).resolves.toMatchObject({
      payload: { aud: CMK_API_CLIENT_ID },
    });
  });

  it.each([
    [{ client_secret: 'wrong' }, 401, 'invalid_client'],
    [{ client_id: 'c1100000-0000-4000-8000-0000000000ff' }, 400, 'unauthorized_client'],
    // The app's identity has no secret to sign in with.
    [{ client_id: CLIENT_IDS.app }, 400, 'unauthorized_client'],
    [{ scope: '' }, 400, 'invalid_scope'],
    [{ grant_type: 'password' }, 400, 'unsupported_grant_type'],
  ])('Entra rejects client credentials with %j', async (change, status, error) => {
    const answer = await token({ ...credentials('owner'), scope: 'https://graph.microsoft.com/.default', ...change });
    expect([answer.status, answer.body.error]).toEqual([status, error]);
  });
});

describe('the managed-identity endpoint', () => {
  const ask = (query: Record<string, string>, header = local.azure.env.IDENTITY_HEADER) =>
    fetch(
      `${local.azure.env.IDENTITY_ENDPOINT}?${new URLSearchParams({ 'api-version': '2019-08-01', resource: 'https://vault.azure.net', ...query })}`,
      {
        headers: { 'X-IDENTITY-HEADER': header ?? '' },
      },
    );

  it.each([
    ['an identity that is not the app’s', { client_id: CLIENT_IDS.owner }, undefined, 400],
    ['an unknown identity', { client_id: 'c1100000-0000-4000-8000-0000000000ff' }, undefined, 400],
    ['another protocol', { 'api-version': '2017-09-01' }, undefined, 400],
    ['a wrong header', {}, 'wrong', 403],
  ])('The managed-identity endpoint rejects %s', async (_, query, header, status) => {
    expect((await ask(query as Record<string, string>, header)).status).toBe(status);
  });
});

describe('a page', () => {
  const verifier = 'a-verifier-that-is-long-enough-for-pkce-0123456789';
  const redirect = 'http://127.0.0.1:7071/page/signed-in.html';
  const asked = (changes: Record<string, string> = {}): string =>
    `${local.azure.signInUrl}/${TENANT_ID}/oauth2/v2.0/authorize?${new URLSearchParams({
      client_id: CMK_API_CLIENT_ID,
      redirect_uri: redirect,
      response_type: 'code',
      scope: `${CMK_API_CLIENT_ID}/access_as_user openid profile offline_access`,
      state: 's1',
      nonce: 'n1',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      ...changes,
    })}`;

  const choose = async (url: string, person: string): Promise<{ code: string; cookie: string; back: URL }> => {
    const response = await fetch(url, { method: 'POST', body: new URLSearchParams({ person }), redirect: 'manual' });
    const back = new URL(response.headers.get('location') ?? '');
    const code = new URLSearchParams(back.hash.slice(1)).get('code') ?? '';
    return { code, cookie: response.headers.get('set-cookie')?.split(';')[0] ?? '', back };
  };

  const redeem = (code: string, changes: Record<string, string> = {}) =>
    token({
      grant_type: 'authorization_code',
      client_id: CMK_API_CLIENT_ID,
      redirect_uri: redirect,
      code,
      code_verifier: verifier,
      ...changes,
    });

  it.each([
    ['another verifier', { code_verifier: 'x'.repeat(50) }, 'AADSTS501481'],
    ['another redirect URI', { redirect_uri: 'http://127.0.0.1:1/' }, 'AADSTS50011'],
  ])('Entra rejects the code of a page with %s', async (_, changes, error) => {
    const { code } = await choose(asked(), CLIENT_IDS.operator);
    const { status, body } = await redeem(code, changes);
    expect(status).toBe(400);
    expect(body.error_description).toContain(error);
  });

  it.each([
    ['a client that does not exist', { client_id: CLIENT_IDS.owner }, 'AADSTS700016'],
    ['a page of another site', { redirect_uri: 'https://evil.example/' }, 'AADSTS50011'],
    ['another page of this machine', { redirect_uri: 'http://127.0.0.1:7071/' }, 'AADSTS50011'],
    ['a page below it', { redirect_uri: `${redirect}/x` }, 'AADSTS50011'],
    ['a host that looks like this one', { redirect_uri: redirect.replace('7071', '7071@evil.example') }, 'AADSTS50011'],
    ['a token without a code', { response_type: 'token' }, 'AADSTS700054'],
    ['a code without PKCE', { code_challenge: '' }, 'AADSTS9002325'],
  ])('Entra rejects a sign-in request for %s', async (_, changes, error) => {
    const response = await fetch(asked(changes));
    expect(response.status).toBe(400);
    expect(await response.text()).toContain(error);
  });
});

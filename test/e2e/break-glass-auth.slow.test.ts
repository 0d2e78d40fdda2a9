import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Answer, type RunningApp, signIn, tokenOf } from '../break-glass/running-app.ts';
import { useApps } from '../break-glass/use-running-app.ts';
import { eventually } from '../support/eventually.ts';
import { useWire } from '../support/wire.ts';

const REVOKE = '/keys/kv-files/files-key/revoke';
const BODY = { reason: 'A laptop was stolen', confirm: 'kv-files/files-key' };

const wire = useWire();
const startApp = useApps(wire);
let app: RunningApp;
let seen = 0;

beforeAll(async () => {
  app = await startApp();
  // What the app lists when it starts is not asked by a call.
  await eventually('the index is built', async () => {
    const { body } = await app.call('/fleet', { as: 'operator' });
    return (body.summary as { listed?: boolean } | undefined)?.listed === true;
  });
});
beforeEach(() => {
  seen = wire.azure.requests.last;
});

const revoke = (token: string | undefined, headers: Record<string, string> = {}): Promise<Answer> =>
  app.call(REVOKE, { method: 'POST', body: BODY, headers, ...(token === undefined ? {} : { as: { token } }) });

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Refused before anything was asked of Key Vault or ARM, and told how to ask correctly. */
function expectRefused(answer: Answer, status: number, reason: string): void {
  expect({ status: answer.status, reason: answer.body?.reason }).toEqual({ status, reason });
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer realm="cmk-autopilot"/);
  expect(answer.body.nextStep).toMatch(/token/);
  const asked = wire.azure.requests.since(seen).filter(({ host }) => host !== 'login.microsoftonline.com');
  expect(asked).toEqual([]);
}

describe('a call over HTTP is refused', () => {
  it('without a token', async () => expectRefused(await revoke(undefined), 401, 'TokenMissing'));

  it('with a genuine token whose claims were changed', async () => {
    const [head, payload = '', signature] = tokenOf(wire.azure, 'outsider').split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    expectRefused(
      await revoke(`${head}.${encode({ ...claims, roles: ['CmkKey.Revoke'] })}.${signature}`),
      401,
      'TokenInvalid',
    );
  });

  it.each([
    ['POST', '/keys/kv-files/files-key/revoke', 'restorer', 'CmkKey.Revoke'],
    ['POST', '/keys/kv-files/files-key/revoke?dryRun=true', 'restorer', 'CmkKey.Revoke'],
    ['POST', '/keys/kv-files/files-key/restore', 'revoker', 'CmkKey.Restore'],
    ['GET', '/keys/kv-files/files-key', 'outsider', 'CmkKey.Read'],
    ['POST', '/keys/kv-other/other-key/revoke', 'outsider', 'CmkKey.Revoke'],
  ])('with the right token and the wrong role: %s %s as %s', async (method, path, as, missingRole) => {
    const answer = await app.call(path, { as, method, ...(method === 'POST' ? { body: BODY } : {}) });
    expectRefused(answer, 403, 'RoleMissing');
    expect(answer.body).toMatchObject({ missingRole });
    expect(answer.body.detail).toContain(missingRole);
  });

  it('with forged headers of App Service authentication, with or without a token of no role', async () => {
    const principal = {
      auth_typ: 'aad',
      claims: [{ typ: 'roles', val: 'CmkKey.Revoke' }],
      name_typ: 'name',
      role_typ: 'roles',
    };
    const forged = {
      'x-ms-client-principal': Buffer.from(JSON.stringify(principal)).toString('base64'),
      'x-ms-client-principal-id': signIn(wire.azure, 'revoker').objectId,
      'x-ms-client-principal-name': 'revoker',
      'x-ms-client-principal-idp': 'aad',
      'x-ms-token-aad-access-token': tokenOf(wire.azure, 'revoker'),
    };
    expectRefused(await revoke(undefined, forged), 401, 'TokenMissing');
    expectRefused(await revoke(tokenOf(wire.azure, 'outsider'), forged), 403, 'RoleMissing');
  });

  it('and none of this has touched the key', () => {
    // By itself: the app would go on reading after its answer, and what is next to be refused asks for nothing.
    const key = wire.azure.world.vaults.get('kv-files')?.keys.get('files-key');
    expect(key?.versions.map(({ enabled }) => enabled)).toEqual([true]);
  });
});

describe.each([
  ['CMK_TENANT_ID', 'common'],
  ['CMK_API_AUDIENCE', undefined],
])('with the setting %s = %s', (setting, value) => {
  let broken: RunningApp;
  beforeAll(async () => {
    broken = await startApp({ [setting]: value });
  });
  afterAll(() => broken?.stop());

  it('every call is refused, and the log names the setting', async () => {
    for (const as of [undefined, 'operator']) {
      const answer = await broken.call(REVOKE, { method: 'POST', body: BODY, as });
      expect({ status: answer.status, reason: answer.body.reason }).toEqual({
        status: 503,
        reason: 'AuthNotConfigured',
      });
      expect(answer.text).not.toContain(setting);
    }
    await eventually('the log names it', () => broken.output().includes(setting));
    // The start lists subscriptions and their accounts, whatever the settings of the API are.
    const isOfStart = ({ host, method }: { readonly host: string; readonly method: string }) =>
      host === 'management.azure.com' && method === 'GET';
    expect(wire.azure.requests.since(seen).filter((request) => !isOfStart(request))).toEqual([]);
  });
});

describe('with settings that are wrong altogether', () => {
  it('every call is refused, and the log names the setting', async () => {
    const broken = await startApp({ CMK_VAULTS: 'kv-files' });
    try {
      const answer = await broken.call(REVOKE, { method: 'POST', body: BODY, as: 'operator' });
      expect({ status: answer.status, reason: answer.body.reason }).toEqual({ status: 503, reason: 'SettingsInvalid' });
      await eventually('the log names it', () => broken.output().includes('CMK_VAULTS'));
    } finally {
      await broken.stop();
    }
  });
});

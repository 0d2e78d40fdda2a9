import { randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { beforeAll, describe, expect, it } from 'vitest';
import { type RunningApp, signIn } from '../break-glass/running-app.ts';
import { useApps } from '../break-glass/use-running-app.ts';
import { recordsOf } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { useWire } from '../support/wire.ts';

/** Ways around who may do what, each tried by a caller with another right. */
const wire = useWire();
const startApp = useApps(wire);
let app: RunningApp;

beforeAll(async () => {
  app = await startApp({
    CMK_STEP_UP: 'c1',
    CMK_ROLE_SCOPES: JSON.stringify(
      ['CmkKey.Revoke', 'CmkKey.Read'].map((role) => ({ role, keys: ['kv-files', 'kv-records/only-this'] })),
    ),
  });
});

/** Another caller each time, with a full allowance of calls. */
const tokenWith = (who: string, claims: Record<string, unknown>) => {
  const all = { oid: randomUUID(), ...claims };
  const { token } = wire.azure.tokens.issue(signIn(wire.azure, who), 'api://cmk-autopilot', { claims: all });
  return { token };
};
const body = { reason: 'A laptop was stolen', confirm: 'kv-records/records-key' };

/** Sends the path and headers unchanged: `fetch` would normalize the path, and reject an invalid header. */
function raw(path: string, token: string, headers: Record<string, string> = {}): Promise<string> {
  const { hostname, port } = new URL(app.url);

  return new Promise((resolve, reject) => {
    const sent = JSON.stringify(body);
    const call = httpRequest(
      {
        hostname,
        port,
        path,
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(sent),
          ...headers,
        },
      },
      (answer) => {
        let text = `${answer.statusCode} ${JSON.stringify(answer.headers)} `;
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        answer.on('end', () => resolve(text));
      },
    );

    call.on('error', reject);
    call.end(sent);
  });
}

/** Calls of Key Vault about the vault outside the scope. */
const asked = (since: number) =>
  wire.azure.requests.since(since).filter(({ host }) => host === 'kv-records.vault.azure.net');

describe('a role that is narrowed to one vault', () => {
  it.each([
    'kv-records/records-key',
    'KV-RECORDS/Records-Key',
    '%6bv-records/records-key',
    'kv%2drecords/records-key',
    'kv-records./records-key',
    'kv-records%2e/records-key',
    'kv-records%20/records-key',
    'kv-records%00/records-key',
    '%E2%84%AAv-records/records-key', // the sign for Kelvin, whose small letter is k
    '%EF%BD%8Bv-records/records-key', // a wide k
    'kv-records.vault.azure.net/records-key',
    'kv-files/../kv-records/records-key',
    'kv-files%2f..%2fkv-records/records-key',
    'kv-files/%2e%2e/kv-records/records-key',
    'kv-files/..%2f..%2fkv-records%2fkeys%2frecords-key',
    'kv-files;kv-records/records-key',
    'kv-files,kv-records/records-key',
    'kv-files@kv-records/records-key',
    'kv-files/files-key%3f@kv-records/records-key',
    '/kv-records/records-key',
  ])('A role that is narrowed to one vault admits no other vault by another spelling: %s', async (path) => {
    const { token } = tokenWith('revoker', { acrs: ['c1'] });
    const since = wire.azure.requests.last;
    const answer = await raw(`/api/keys/${path}/revoke`, token);
    expect(answer).toMatch(/^40[034] /);
    expect(asked(since)).toEqual([]);
  });

  it('A role that is narrowed to one vault reveals by no answer and by no delay which keys exist', async () => {
    const { token } = tokenWith('revoker', { acrs: ['c1'] });
    const since = wire.azure.requests.last;
    for (const key of ['records-key', 'no-such-key']) {
      expect(await raw(`/api/keys/kv-records/${key}/revoke`, token)).toMatch(/^403 .*"reason":"KeyOutOfReach"/);
    }
    // The app reads neither key.
    expect(wire.azure.requests.since(since).filter(({ host }) => host.includes('vault'))).toEqual([]);
  });
});

it('forwarded headers are neither trusted nor repeated', async () => {
  const { token } = tokenWith('outsider', {});
  const said = 'zzforgedzz';
  const principal = Buffer.from(
    JSON.stringify({ claims: [{ typ: 'roles', val: 'CmkKey.Revoke' }], userId: said }),
  ).toString('base64');
  const answer = await raw('/api/keys/kv-records/records-key/revoke', token, {
    'x-ms-client-principal': principal,
    'x-ms-client-principal-id': said,
    'x-forwarded-for': `198.51.100.7, "${said}"`,
    'x-forwarded-host': `${said}.example`,
    'x-original-url': '/api/openapi.json',
    'x-http-method-override': 'GET',
    'x-correlation-id': said,
    'x-ms-client-request-id': said,
    'x-request-id': said,
    'request-id': said,
    traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
  });

  expect(answer).toMatch(/^403 .*"reason":"RoleMissing"/);
  expect(answer).not.toContain(said);

  const [, id] = /"correlationId":"([^"]+)"/.exec(answer) ?? [];
  const record = await eventually('the call is logged', () =>
    recordsOf(app.output().split('\n')).find(({ correlationId }) => correlationId === id),
  );

  expect(record).toMatchObject({ reason: 'CallRefused', because: 'RoleMissing' });
  expect(JSON.stringify(record)).not.toContain(said);
});

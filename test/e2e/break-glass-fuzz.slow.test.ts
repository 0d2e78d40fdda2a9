import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Answer,
  type Bundles,
  makeBundles,
  type RunningApp,
  startApp,
  tokenOf,
} from '../break-glass/running-app.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
let bundles: Bundles;
let app: RunningApp;
let token: string;

beforeAll(async () => {
  bundles = await makeBundles();
  // Whoever makes these calls has every role: what is fuzzed lies behind the sign-in, too.
  app = await startApp(bundles, wire.azure, wire.connectionString, { CMK_DUAL_CONTROL: 'off' });
  token = tokenOf(wire.azure, 'operator');
});
afterAll(async () => {
  await app?.stop();
  await bundles?.remove();
});

const HOSTILE = [
  '',
  '.',
  '..',
  '%2e%2e',
  '%2F',
  '%00',
  '%',
  '%zz',
  '%c0%af',
  '*',
  '~',
  'a'.repeat(300),
  'kv-files.vault.azure.net',
  'evil.example',
  'evil.example%2F',
  'kv-files%40evil.example',
  'kv-files%3F',
  'kv-files%23',
  'kv-files:443',
  'KV-FILES',
  'kv-other',
  'kv-records',
  '%F0%9F%94%91',
  "'%20OR%201=1",
  '__proto__',
  'constructor',
  'versions',
  'deletedkeys',
];
const vault = fc.oneof(
  { weight: 2, arbitrary: fc.constant('kv-files') },
  fc.constantFrom(...HOSTILE),
  fc.webFragments(),
);
const key = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom('files-key', 'archive-key', 'nothing') },
  fc.constantFrom(...HOSTILE),
  fc.webFragments(),
);
const action = fc.constantFrom('', '/', '/revoke', '/restore', '/revoke/', '/rotate', '/revoke/restore', '/%72evoke');
const query = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  fc.constantFrom(
    '?dryRun=true',
    '?dryRun=false',
    '?dryRun',
    '?dryRun=1',
    '?dryRun=true&dryRun=false',
    '?DRYRUN=true',
    '?code=x',
    '?__proto__=1',
    '?%',
    '?a[]=b',
  ),
  fc.webQueryParameters().map((text) => `?${text}`),
);
const method = fc.constantFrom('GET', 'POST', 'POST', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS');
const body = fc.oneof(
  fc.constant(undefined),
  fc.constantFrom(
    '',
    '{',
    'null',
    '[]',
    '"x"',
    '1e999',
    '{"__proto__":{"reason":"xyz"}}',
    '{"reason":',
    '\u0000',
    `"${'x'.repeat(20_000)}"`,
    '['.repeat(5_000),
  ),
  fc.json(),
  fc
    .record(
      {
        reason: fc.oneof(fc.constant('fuzz'), fc.anything()),
        confirm: fc.oneof(fc.constantFrom('kv-files/files-key', 'kv-files/x'), fc.anything()),
        ticket: fc.anything(),
        more: fc.anything(),
      },
      { requiredKeys: [] },
    )
    .map((value) => safeJson(value)),
);
const headers = fc.oneof(
  { weight: 3, arbitrary: fc.constant({}) },
  fc.constantFrom<Record<string, string>>(
    { 'content-type': 'text/plain' },
    { 'content-type': 'application/json; charset=utf-16' },
    { 'content-encoding': 'gzip' },
    { accept: 'application/xml' },
    { 'x-http-method-override': 'DELETE' },
    { 'x-forwarded-host': 'evil.example', 'x-original-url': '/admin' },
    { 'x-ms-client-principal': 'e30=' },
    { 'x-functions-key': 'x'.repeat(4_000) },
    { traceparent: 'nonsense', 'x-ms-client-request-id': '../../etc' },
  ),
  fc.dictionary(fc.stringMatching(/^x-[a-z]{1,12}$/), fc.stringMatching(/^[ -~]{0,80}$/), { maxKeys: 4 }),
);
const authorization = fc.oneof(
  { weight: 6, arbitrary: fc.constant('operator') },
  fc.constantFrom('none', 'outsider'),
  fc.stringMatching(/^[ -~]{0,60}$/).map((text) => `raw ${text}`),
);

function safeJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'undefined';
  } catch {
    return '{}';
  }
}

interface Fuzzed {
  readonly path: string;
  readonly method: string;
  readonly body: string | undefined;
  readonly headers: Record<string, string>;
  readonly authorization: string;
}

const requests: fc.Arbitrary<Fuzzed> = fc
  .record({ vault, key, action, query, method, body, headers, authorization })
  .map(({ vault, key, action, query, ...rest }) => ({ ...rest, path: `/keys/${vault}/${key}${action}${query}` }));

async function send({ path, method, body, headers, authorization }: Fuzzed): Promise<Answer> {
  const signedIn: Record<string, string> =
    authorization === 'none'
      ? {}
      : {
          authorization: authorization.startsWith('raw ')
            ? authorization.slice(4)
            : `Bearer ${authorization === 'operator' ? token : tokenOf(wire.azure, 'outsider')}`,
        };
  const hasBody = body !== undefined && method !== 'GET' && method !== 'HEAD';
  return app.call(path, { method, headers: { ...headers, ...signedIn }, ...(hasBody ? { body } : {}) });
}

describe('a thousand fuzzed requests', () => {
  it('meet no 500 and no stack trace, and ask nothing of Azure outside the managed vaults', async () => {
    const seen = wire.azure.requests.last;
    const statuses = new Map<number, number>();
    const property = fc.asyncProperty(fc.array(requests, { minLength: 20, maxLength: 20 }), async (batch) => {
      for (const answer of await Promise.all(batch.map(send))) {
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        expect(answer.status, answer.text).not.toBe(500);
        expect(answer.status, answer.text).toBeLessThan(502);
        expect(answer.text).not.toMatch(/\bat .+\.(c?js|ts):\d+|node:internal|node_modules|\/main\.cjs/);
        if (answer.status >= 400 && answer.headers.get('content-type')?.includes('json')) {
          expect(answer.body).toMatchObject({
            status: answer.status,
            reason: expect.any(String),
            nextStep: expect.any(String),
          });
        }
      }
    });
    await fc.assert(property, { numRuns: 50, endOnFailure: true });

    // It got past the sign-in and down to the keys, too; and whoever asks as one should is answered still.
    const asking = { method: 'GET', body: undefined, headers: {}, authorization: 'operator' };
    expect((await send({ ...asking, path: '/keys/kv-files/files-key' })).status).toBe(200);
    for (const status of [400, 401, 403, 404])
      expect(statuses.get(status) ?? 0, `answers ${status}`).toBeGreaterThan(0);
    const allowed =
      /^(hsm-local\.managedhsm\.azure\.net|kv-files\.vault\.azure\.net|kv-records\.vault\.azure\.net|management\.azure\.com|login\.microsoftonline\.com|api\.loganalytics\.io|st\w+\.file\.core\.windows\.net)$/;
    const asked = wire.azure.requests.since(seen);
    expect(asked.filter(({ host, refused }) => refused || !allowed.test(host))).toEqual([]);
    // In the vaults, nothing but keys is asked for, by names that Key Vault allows.
    const vaults = asked.filter(({ host }) => host.endsWith('.vault.azure.net'));
    const plain =
      /^\/(keys|deletedkeys)(\/[0-9A-Za-z-]{1,127}(\/versions|\/[0-9a-f]{32}|\/recover|\/rotationpolicy|\/)?)?(\?api%2Dversion=|\?api-version=)/;
    expect(vaults.filter(({ path }) => !plain.test(path))).toEqual([]);
    // Resource Manager is read only.
    const writes = asked.filter(
      ({ host, method, path }) => host === 'management.azure.com' && method !== 'GET' && !/ResourceGraph/i.test(path),
    );
    expect(writes.filter(({ method }) => method !== 'PATCH')).toEqual([]);
  }, 60_000);
});

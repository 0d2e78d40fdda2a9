import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Bundles, makeBundles, type RunningApp, startApp, tokenOf } from '../break-glass/running-app.ts';
import { useWire } from '../support/wire.ts';

/** All of it: `FUZZ_REQUESTS=100000 npm run test:slow -- every-route-fuzz`, some minutes. Without it, as many as fit. */
const MOST = Number(process.env.FUZZ_REQUESTS ?? Number.POSITIVE_INFINITY);
const LIMIT_MS = process.env.FUZZ_REQUESTS ? 3_600_000 : 40_000;
const AT_ONCE = 24;

const wire = useWire();
let bundles: Bundles;
let app: RunningApp;

beforeAll(async () => {
  bundles = await makeBundles();
  app = await startApp(bundles, wire.azure, wire.connectionString, {
    CMK_APPROVALS: 'restore:1',
    CMK_ROLE_SCOPES: '[{"role":"CmkKey.Revoke","keys":["kv-records"]}]',
  });
});
afterAll(async () => {
  await app?.stop();
  await bundles?.remove();
});

/** The same numbers for the same seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const METHODS = ['GET', 'GET', 'GET', 'POST', 'POST', 'POST', 'POST', 'DELETE', 'PUT', 'PATCH', 'HEAD', 'OPTIONS'];
const WHO = ['revoker', 'restorer', 'operator', 'second-operator', 'outsider', 'robot'];
const VAULTS = [
  'kv-files',
  'kv-records',
  'kv-other',
  'KV-FILES',
  'kv-nowhere',
  'evil.example',
  'kv-files.vault.azure.net',
  '..',
  '%2e%2e',
  'kv-files%2f..',
  '%00',
  'ä',
];
const KEYS = [
  'no-such-key',
  'other-key',
  'a%2fb',
  '..',
  '%2e%2e%2f',
  '-',
  'x'.repeat(128),
  "'",
  '%0d%0aHost:%20evil.example',
  '🔑',
];
const ENDS = [
  '',
  '/revoke',
  '/restore',
  '/revoke?dryRun=true',
  '/revoke?dryRun=yes',
  '/revoke?dryRun=true&dryRun=false',
  '/versions',
  '/revoke/x',
];
const IDS = ['a1b2c3d4e5f6', '..', '%2e%2e%2fcmk-audit', 'x', 'A'.repeat(70), '__proto__'];
const TEXTS = [
  '',
  'found it',
  '\u0000',
  'x'.repeat(20_000),
  'jndi:ldap://evil.example',
  '<script>',
  'cafe',
  '\ud800',
  '__proto__',
  'https://evil.example/keys/k',
];
const AUTHORIZATIONS = ['', 'Bearer', 'Bearer x.y.z', 'Basic dTpw', `Bearer ${'a'.repeat(20_000)}`, 'bearer null'];
const TYPES = ['application/json', 'application/json; charset=utf-16', 'text/plain', 'multipart/form-data', ''];

/** One request, whatever comes out of the numbers. */
function request(next: () => number): { path: string; init: RequestInit } {
  const one = <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)] as T;
  const path = one([
    () => `/api/keys/${one(VAULTS)}/${one(KEYS)}${one(ENDS)}`,
    () => `/api/keys/${one(VAULTS)}/${one(KEYS)}${one(ENDS)}`,
    () => `/api/drift/${one(['', 'history', ...IDS])}`,
    () => `/api/approvals${one(['', '/', ...IDS.map((id) => `/${id}`), ...IDS.map((id) => `/${id}/approve`)])}`,
    () =>
      `/api/rekeys${one(['', '?dryRun=true', '?dryRun=x', ...IDS.flatMap((id) => [`/${id}`, `/${id}/pause`, `/${id}?keep=true`])])}`,
    () => `/api/${one(['', 'openapi.json', 'keys', 'admin', ...IDS])}`,
  ])();
  const method = one(METHODS);
  const headers: Record<string, string> = {};
  const who = next() < 0.8 ? `Bearer ${tokenOf(wire.azure, one(WHO))}` : one(AUTHORIZATIONS);
  if (who) headers.authorization = who;
  const type = next() < 0.7 ? 'application/json' : one(TYPES);
  if (type) headers['content-type'] = type;
  if (next() < 0.2) headers['x-forwarded-for'] = one(['203.0.113.9', 'evil, <script>', '::1', 'x'.repeat(5_000)]);
  if (next() < 0.1) headers.accept = one(['text/html', '*/*;q=x', 'a'.repeat(3_000)]);
  const value = (): unknown => one<unknown>([one(TEXTS), one(TEXTS), null, 7, [], { a: 1 }, true]);
  const names = [
    'reason',
    'ticket',
    'confirm',
    'revocation',
    'vault',
    'key',
    'action',
    'from',
    'to',
    '__proto__',
    'constructor',
  ];
  const fields = Object.fromEntries(names.filter(() => next() < 0.5).map((name) => [name, value()]));
  const body = one([
    JSON.stringify(fields),
    JSON.stringify(fields),
    JSON.stringify(value()),
    '{',
    '\u0000',
    '[[[['.repeat(500),
    '',
  ]);
  return { path, init: { method, headers, ...(method === 'GET' || method === 'HEAD' ? {} : { body }) } };
}

it(
  'no request, whatever it holds, is answered 500, shows a stack, or reaches what is not managed',
  async () => {
    const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000);
    const next = random(seed);
    const since = wire.azure.requests.last;
    const until = Date.now() + LIMIT_MS;
    const statuses = new Map<number, number>();
    let sent = 0;
    async function caller(): Promise<void> {
      while (sent < MOST && Date.now() < until) {
        sent += 1;
        const { path, init } = request(next);
        const answer = await fetch(`${app.url}${path}`, init);
        const text = await answer.text();
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        const about = `seed ${seed}, number ${sent}: ${init.method} ${path}: ${answer.status} ${text.slice(0, 300)}`;
        expect(answer.status, about).not.toBe(500);
        expect(/\n\s+at |node_modules|main\.cjs|\.ts:\d/.test(text), about).toBe(false);
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, caller));

    console.info(`seed ${seed}: ${sent} requests, ${JSON.stringify(Object.fromEntries([...statuses].sort()))}`);
    expect(sent).toBeGreaterThan(300);
    const hosts = new Set(wire.azure.requests.since(since).map(({ host }) => host));
    const managed = ['kv-files.vault.azure.net', 'kv-records.vault.azure.net'];
    const services = ['login.microsoftonline.com', 'management.azure.com'];
    const shares = [...hosts].filter((host) => /^st[a-z0-9]+\.file\.core\.windows\.net$/.test(host));
    expect([...hosts].filter((host) => ![...managed, ...services, ...shares].includes(host))).toEqual([]);
    expect(app.output()).not.toMatch(/"reason":"Unexpected"/);
    const answer = await app.call('/keys/kv-files/files-key', { as: 'second-operator' });
    expect([200, 429]).toContain(answer.status);
  },
  LIMIT_MS + 60_000,
);

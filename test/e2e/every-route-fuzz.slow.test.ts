import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Principal } from '../../local/azure/world.ts';
import { type Bundles, makeBundles, type RunningApp, startApp } from '../break-glass/running-app.ts';
import { useWire } from '../support/wire.ts';

/** All of it: `FUZZ_REQUESTS=100000 npm run test:slow -- every-route-fuzz`, some minutes. */
const MOST = Number(process.env.FUZZ_REQUESTS ?? 2_000);
const LIMIT_MS = Math.max(60_000, MOST * 40);
/** So many callers, that few calls are refused for being too many. */
const CALLERS = 300;
const AT_ONCE = 24;

const wire = useWire();
let bundles: Bundles;
let app: RunningApp;
let tokens: readonly string[] = [];

function callerWith(appRoles: string[], kind: Principal['kind']): string {
  const [clientId, objectId] = [randomUUID(), randomUUID()];
  const principal: Principal = { displayName: objectId, clientId, objectId, secret: '', kind, appRoles };
  return wire.azure.tokens.issue(principal, 'api://cmk-autopilot').token;
}

beforeAll(async () => {
  tokens = Array.from({ length: CALLERS }, (_, n) =>
    callerWith([...(ROLES_OF[n % ROLES_OF.length] ?? [])], n % 10 === 0 ? 'application' : 'user'),
  );
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
const ROLES_OF = [
  ['CmkKey.Read'],
  ['CmkKey.Read', 'CmkKey.Revoke'],
  ['CmkKey.Read', 'CmkKey.Restore'],
  ['CmkKey.Read', 'CmkKey.Revoke', 'CmkKey.Restore', 'Cmk.Operate'],
  ['cmkkey.read', 'CMKKEY.REVOKE', 'CmkKey.Restore '],
  [],
];
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
  'files-key',
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
const IDS = ['a1b2c3d4e5f6', '..', 'rotations', 'findings', '%2e%2e%2fcmk-audit', 'x', 'A'.repeat(70), '__proto__'];
const ACCOUNTS = [
  'stfiles01',
  'strecords01',
  'stplain01',
  'nosuchaccount',
  '..',
  'a.b',
  "x'%20or%20'",
  'ä',
  'x'.repeat(50),
];
const QUERIES = [
  '',
  '?',
  '?%',
  '?dryRun=true',
  '?cursor=%00',
  '?limit=-1',
  '?limit=1e9',
  '?cause=__proto__',
  '?a=1&a=2',
  '?after=..',
  '?after=2026-11-24.jsonl:99999999999999',
  '?after=kv-files/x',
  '?since=P999999Y',
  '?until=9999-12-31',
  '?key=%00&vault=..',
  '?by=&action=__proto__',
  '?account=/&key=https://evil.example/keys/k',
  '?__proto__=1',
  `?key=${'x'.repeat(3_000)}`,
];
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

/** A route as it is meant to be called, with names that may be anything. */
const ROUTES: readonly (readonly [method: string, path: (one: One) => string])[] = [
  ['GET', (one) => `/keys/${keyIn(one)}`],
  ['POST', (one) => `/keys/${keyIn(one)}/revoke`],
  ['POST', (one) => `/keys/${keyIn(one)}/revoke${one(['?dryRun=true', '?dryRun=yes', '?dryRun=true&dryRun=false'])}`],
  ['POST', (one) => `/keys/${keyIn(one)}/restore`],
  ['GET', (one) => `/accounts/${one(ACCOUNTS)}${one(QUERIES)}`],
  ['POST', (one) => `/accounts/${one(ACCOUNTS)}/${one(['revoke', 'restore'])}${one(['', '?dryRun=true', '?scope=x'])}`],
  ['GET', (one) => `/keys/${keyIn(one)}/${one(['versions', 'revoke', 'revoke/x'])}`],
  ['GET', (one) => `/rotations${one(QUERIES)}`],
  ['GET', (one) => `/rotations/${keyIn(one)}${one(QUERIES)}`],
  ['POST', (one) => `/${one(['pause', 'resume'])}${one(QUERIES)}`],
  ['GET', (one) => `/drift${one(['', '/', '/history', ...IDS.map((id) => `/${id}`)])}${one(QUERIES)}`],
  ['GET', (one) => `/drift/${one(IDS)}/findings${one(QUERIES)}`],
  ['GET', (one) => `/approvals${one(['', '/'])}${one(QUERIES)}`],
  ['GET', (one) => `/rekeys${one(['', '/', ...IDS.map((id) => `/${id}`)])}${one(QUERIES)}`],
  ['POST', (one) => `/rekeys${one(['', '?dryRun=true', '?dryRun=x'])}`],
  ['POST', (one) => `/rekeys/${one(IDS)}/${one(['pause', 'resume', 'x'])}`],
  ['DELETE', (one) => `/rekeys/${one(IDS)}${one(['', '?keep=true', '?keep=x&reason=abc', '?reason=abc'])}`],
  ['POST', () => '/approvals'],
  ['POST', (one) => `/approvals/${one(IDS)}/approve`],
  ['DELETE', (one) => `/approvals/${one(IDS)}`],
  ['GET', (one) => `/audit${one(['', '/', '/verification', ...IDS.map((id) => `/${id}`)])}${one(QUERIES)}`],
  ['GET', (one) => `/${one(['keys', 'trend'])}${one(['', '/'])}${one(QUERIES)}`],
  ['GET', (one) => `/${one(['', 'openapi.json', 'keys', 'keys/', 'admin', ...IDS])}`],
];
type One = <T>(items: readonly T[]) => T;

function keyIn(one: One): string {
  return one(['kv-records/records-key', `${one(VAULTS)}/${one(KEYS)}`, `kv-files/${one(KEYS)}`]);
}

/** One request, whatever comes out of the numbers. */
function request(next: () => number): { path: string; init: RequestInit } {
  const one: One = (items) => items[Math.floor(next() * items.length)] as (typeof items)[number];
  const [usual, pathOf] = one(ROUTES);
  const path = `/api${pathOf(one)}`;
  const method = next() < 0.7 ? usual : one(METHODS);
  const headers: Record<string, string> = {};
  const who = next() < 0.8 ? `Bearer ${one(tokens)}` : one(AUTHORIZATIONS);
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
    'until',
    'from',
    'to',
    '__proto__',
    'constructor',
  ];
  const fields = Object.fromEntries(names.filter(() => next() < 0.5).map((name) => [name, value()]));
  const right = { reason: 'A script runs wild', confirm: 'kv-records/records-key', revocation: 'cafe' };
  const body = one([
    JSON.stringify(fields),
    JSON.stringify({ ...right, ...fields }),
    JSON.stringify({
      reason: right.reason,
      [one(['confirm', 'revocation', 'key', 'until'])]: one(Object.values(right)),
    }),
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
    let since = wire.azure.requests.last;
    const hosts = new Set<string>();
    const note = () => {
      for (const { host } of wire.azure.requests.since(since)) hosts.add(host);
      since = wire.azure.requests.last;
    };
    const statuses = new Map<number, number>();
    let sent = 0;
    async function caller(): Promise<void> {
      while (sent < MOST) {
        sent += 1;
        if (sent % 100 === 0) note(); // the log of requests forgets
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
    expect(sent).toBe(MOST);
    note();
    const managed = ['kv-files.vault.azure.net', 'kv-records.vault.azure.net', 'hsm-local.managedhsm.azure.net'];
    const services = ['login.microsoftonline.com', 'management.azure.com', 'api.loganalytics.io'];
    const shares = [...hosts].filter((host) => /^st[a-z0-9]+\.file\.core\.windows\.net$/.test(host));
    expect([...hosts].filter((host) => ![...managed, ...services, ...shares].includes(host))).toEqual([]);
    expect(app.output()).not.toMatch(/"reason":"Unexpected"/);
    const answer = await app.call('/keys/kv-files/files-key', { as: 'second-operator' });
    expect([200, 429]).toContain(answer.status);
  },
  LIMIT_MS + 60_000,
);

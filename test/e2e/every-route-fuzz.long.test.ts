import { randomUUID } from 'node:crypto';
import { beforeAll, expect, it } from 'vitest';
import type { LoggedRequest } from '../../local/azure/wire/request-log.ts';
import type { Principal } from '../../local/azure/world.ts';
import type { RunningApp } from '../break-glass/running-app.ts';
import { useApps } from '../break-glass/use-running-app.ts';
import { useWire } from '../support/wire.ts';
import { type Document, type Fuzzed, FuzzedRequests } from './fuzzed-requests.ts';

/** `FUZZ_SEED` repeats a run. */
const MOST = 10_000;
/** So many callers, that few calls are refused for being too many. */
const CALLERS = 300;
const AT_ONCE = 24;

const EVERYTHING = ['CmkKey.Read', 'CmkKey.Revoke', 'CmkKey.Restore', 'Cmk.Operate'];
const ROLES_OF = [
  EVERYTHING,
  EVERYTHING,
  EVERYTHING,
  EVERYTHING,
  ['CmkKey.Read'],
  ['CmkKey.Read', 'CmkKey.Revoke'],
  ['CmkKey.Read', 'CmkKey.Restore'],
  ['CmkKey.Revoke', 'CmkKey.Restore', 'Cmk.Operate'],
  ['cmkkey.read', 'CMKKEY.REVOKE', 'CmkKey.Restore '],
  [],
];
const KEYS = [
  ['kv-records', 'records-key'],
  ['kv-records', 'records-key'],
  ['kv-files', 'files-key'],
  ['kv-files', 'archive-key'],
  ['KV-RECORDS', 'Records-Key'],
  ['kv-files', 'no-such-key'],
  ['kv-other', 'other-key'],
  ['kv-nowhere', 'files-key'],
] as const;
const ACCOUNTS = ['stfiles01', 'strecords01', 'STRECORDS02', 'starchive01', 'stplain01', 'nosuchaccount'];

const wire = useWire();
const startApp = useApps(wire);
let app: RunningApp;
let tokens: readonly string[] = [];

function callerWith(appRoles: string[], kind: Principal['kind']): string {
  const clientId = randomUUID();
  const objectId = randomUUID();
  const principal: Principal = { displayName: objectId, clientId, objectId, secret: '', kind, appRoles };
  return wire.azure.tokens.issue(principal, 'api://cmk-autopilot').token;
}

beforeAll(async () => {
  tokens = Array.from({ length: CALLERS }, (_, n) =>
    callerWith([...(ROLES_OF[n % ROLES_OF.length] ?? [])], n % 10 === 0 ? 'application' : 'user'),
  );
  app = await startApp({
    CMK_ROLE_SCOPES: '[{"role":"CmkKey.Revoke","keys":["kv-records"]}]',
  });
});

/** A name of Azure's that the app may call: managed vaults, sign-in, Resource Manager, the log, and the shares that are probed. */
const ALLOWED =
  /^(kv-files\.vault\.azure\.net|kv-records\.vault\.azure\.net|hsm-local\.managedhsm\.azure\.net|login\.microsoftonline\.com|management\.azure\.com|api\.loganalytics\.io|st(files|archive|records)\d\d\.file\.core\.windows\.net)$/;
/** In a vault keys alone are asked for, by names that Key Vault allows. */
const KEY_PATH =
  /^\/(keys|deletedkeys)(\/[0-9A-Za-z-]{1,127}(\/versions|\/[0-9a-f]{32}|\/recover|\/rotationpolicy|\/)?)?(\?api%2Dversion=|\?api-version=)/;
/** What is written by Resource Manager: the accounts of managed keys, their encryption scopes and tags, and who may use those keys. */
const WRITTEN =
  /\/providers\/Microsoft\.(ResourceGraph\/|Storage\/storageAccounts\/st(files|archive|records)\d\d(\/encryptionScopes\/[\w-]+|\/providers\/Microsoft\.Resources\/tags\/default)?\?|KeyVault\/vaults\/kv-(files|records)\/)/i;

function isOutside({ host, method, path, refused }: LoggedRequest): boolean {
  if (refused || !ALLOWED.test(host)) return true;
  if (host.endsWith('.vault.azure.net')) return !KEY_PATH.test(path);
  return host === 'management.azure.com' && method !== 'GET' && !WRITTEN.test(path);
}

/** More header than a server of Node reads: it answers 431 and closes, which a client that still writes may not get to read. */
const HEADERS_MOST = 16_384;

async function send(path: string, init: Fuzzed['init']) {
  const size = Object.values(init.headers).join().length;
  const answer = await fetch(`${app.url}${path}`, init).catch((error: unknown) => {
    if (size < HEADERS_MOST) throw error;
    return new Response('', { status: 431 });
  });
  return { status: answer.status, type: answer.headers.get('content-type') ?? '', text: await answer.text() };
}

it('no request, whatever it contains, is answered 500, shows a stack, or reaches an unmanaged resource', async () => {
  const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000);
  const document = JSON.parse((await send('/api/openapi.json', { method: 'GET', headers: {} })).text) as Document;
  const requests = new FuzzedRequests(document, { keys: KEYS, accounts: ACCOUNTS, tokens }, seed);
  let since = wire.azure.requests.last;
  const outside: LoggedRequest[] = [];
  const note = () => {
    outside.push(...wire.azure.requests.since(since).filter(isOutside));
    since = wire.azure.requests.last; // the log of requests forgets
  };
  const statuses = new Map<number, number>();
  const served = new Map<string, number>();
  let sent = 0;

  async function caller(): Promise<void> {
    while (sent < MOST) {
      sent += 1;
      if (sent % 1_000 === 0) note();

      const { route, path, init } = requests.next();
      const { status, type, text } = await send(path, init);
      const about = `seed ${seed}, number ${sent}: ${init.method} ${path} ${init.body}: ${status} ${text.slice(0, 300)}`;

      statuses.set(status, (statuses.get(status) ?? 0) + 1);

      if (status < 300) served.set(route, (served.get(route) ?? 0) + 1);
      if (status < 300) requests.learn(text);

      expect(status, about).not.toBe(500);
      expect(/\n\s+at |node:internal|node_modules|main\.cjs|\.ts:\d/.test(text), about).toBe(false);

      if (status >= 400 && type.includes('json')) {
        expect(JSON.parse(text), about).toMatchObject({
          status,
          reason: expect.any(String),
          nextStep: expect.any(String),
        });
      }
    }
  }

  await Promise.all(Array.from({ length: AT_ONCE }, caller));
  note();

  console.info(`seed ${seed}: ${sent} requests, ${JSON.stringify(Object.fromEntries([...statuses].sort()))}`);

  expect(sent).toBe(MOST);
  expect(outside.map(({ host, method, path }) => `${method} ${host}${path}`)).toEqual([]);
  expect(app.output()).not.toMatch(/"reason":"Unexpected"/);

  // It got past the sign-in, to answers of every kind, and by most routes all the way.
  for (const status of [200, 400, 401, 403, 404]) expect(statuses.get(status) ?? 0, `${status}`).toBeGreaterThan(0);

  expect(served.size).toBeGreaterThan(15);

  const answer = await app.call('/keys/kv-files/files-key', { as: 'second-operator' });
  expect([200, 429]).toContain(answer.status);
});

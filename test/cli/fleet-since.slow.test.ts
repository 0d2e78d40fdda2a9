import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { CLIENT_IDS, CMK_API_AUDIENCE } from '../../local/azure/constants.ts';
import { addIdentity, allowStorage } from '../../local/azure/fleet.ts';
import type { Principal, StorageAccount } from '../../local/azure/world.ts';
import type { DriftReport } from '../../src/drift/report.ts';
import type { FleetListAnswer } from '../../src/fleet/http/schemas.ts';
import type { Fleet } from '../../src/operations/fleet-list.ts';
import { useApp } from '../support/app.ts';
import { group, TestKey } from '../support/fleet.ts';
import { Procedures, unique } from '../support/procedures.ts';
import { type CmkOptions, runCmk } from '../support/run-cmk.ts';

const app = useApp({ env: { CMK_AUTOFIX: 'none' } });
const HOUR_MS = 3_600_000;

/** A person with every right in Azure, and with the app's role for looking. */
function owner(): Principal {
  const principal = app.azure.world.principals.get(CLIENT_IDS.owner);
  if (!principal) throw new Error('The local tenant has no owner.');
  return principal;
}

async function call<T>(method: 'GET' | 'POST', path: string): Promise<T> {
  const { token } = app.azure.tokens.issue(owner(), CMK_API_AUDIENCE);
  const headers = { authorization: `Bearer ${token}`, accept: 'application/json' };
  const answer = await fetch(`${app.url}/api${path}`, { method, headers });
  if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}
const check = () => call<DriftReport>('POST', '/drift');

/** On a key of its own, by an identity of its own. */
function withIdentity(key: TestKey): { readonly account: StorageAccount; readonly loseRole: () => void } {
  const { world } = app.azure;
  const identity = addIdentity(world, group(world), unique('id-'));
  allowStorage(world, key.vault, identity.principalId);
  const loseRole = (): void => {
    for (const [id, { principalId }] of world.roleAssignments) {
      if (principalId === identity.principalId) world.roleAssignments.delete(id);
    }
  };
  return { account: key.account('pinned', { identity }), loseRole };
}

/** In this process, with the app's storage known unless `env` says otherwise. */
const cmk = (args: readonly string[], options: CmkOptions = {}) =>
  runCmk(new Procedures(app), ['fleet', 'list', ...args], {
    env: { AzureWebJobsStorage: app.connectionString },
    ...options,
  });
async function list(key: TestKey, options: CmkOptions = {}): Promise<Fleet & { readonly err: string }> {
  const { code, out, err } = await cmk(['--key', key.id(), '-o', 'json'], options);
  expect(code).toBe(0);
  return { ...(JSON.parse(out).result as Fleet), err };
}
const lines = (text: string) => text.split('\n').filter(Boolean);

let key: TestKey;
let lost: StorageAccount;
/** When the check began that first found it. */
let foundOn: string;

beforeAll(async () => {
  owner().appRoles.push('CmkKey.Read', 'Cmk.Operate');
  key = new TestKey(app.azure.world);
  const { account, loseRole } = withIdentity(key);
  lost = account;
  await check();
  loseRole();
  await app.advance(HOUR_MS);
  ({ startedOn: foundOn } = await check());
  await app.advance(HOUR_MS);
  await check();
});

describe('since when an account stands as it does', () => {
  it('is the same in `cmk fleet list` and in GET /api/fleet, of all that stand the same in both', async () => {
    const { value } = await call<FleetListAnswer>('GET', '/fleet?top=1000');
    const inApi = value.find(({ id }) => id === lost.id)?.health;
    expect(inApi).toMatchObject({ state: 'NoAccess', since: foundOn });
    const { out, err } = await cmk(['-o', 'json', '--sort', 'since']);
    const { rows } = JSON.parse(out).result as Fleet;
    expect(rows.find(({ account }) => account === lost.id)).toMatchObject({ health: 'NoAccess', since: foundOn });
    expect(rows[0]?.account).toBe(lost.id);
    const alike = rows.flatMap((row) => {
      const other = value.find(({ id }) => id === row.account)?.health;
      const isAlike = other?.state === row.health && other.cause?.id === row.cause?.id && row.cause;
      return isAlike ? [{ row: [row.name, row.since], api: [row.name, other.since] }] : [];
    });
    expect(alike).toContainEqual(expect.objectContaining({ api: [lost.name, foundOn] }));
    expect(alike.map(({ row }) => row)).toEqual(alike.map(({ api }) => api));
    expect(err).toBe('');
  });

  it('is the same by the API, where the storage is not known', async () => {
    const env = { CMK_API: `${app.url}/api`, CMK_API_AUDIENCE };
    const { rows, err } = await list(key, { env });
    expect([rows[0]?.since, err]).toEqual([foundOn, '']);
  });

  it('is an age in a table that is not wide, and a time everywhere else', async () => {
    const narrow = await cmk(['--key', key.id(), '-o', 'table'], {
      columns: 60,
      env: { AzureWebJobsStorage: app.connectionString },
    });
    expect(narrow.out).toMatch(/SINCE {2,}\d+[mh]\n/);
    expect(lines(narrow.out).filter((line) => line.length > 60)).toEqual([]);
    expect((await cmk(['--key', key.id(), '-o', 'table', '--wide'])).out).toContain(foundOn);
    const [header, row] = lines((await cmk(['--key', key.id(), '-o', 'csv'])).out).map((line) => line.split(','));
    expect(row?.[header?.indexOf('since') ?? -1]).toBe(foundOn);
  });

  it('is not told of what no check has found yet, which is said once', async () => {
    const fresh = new TestKey(app.azure.world);
    const both = [withIdentity(fresh), withIdentity(fresh)];
    for (const { loseRole } of both) loseRole();
    const { rows, sinceUnknown, err } = await list(fresh);
    expect(rows.map((row) => [row.health, 'since' in row])).toEqual([
      ['NoAccess', false],
      ['NoAccess', false],
    ]);
    expect(sinceUnknown).toMatch(
      /^Since when is not known of 2 accounts: the newest drift check, .*, did not find it\.$/,
    );
    expect(lines(err)).toEqual([sinceUnknown]);
  });
});

describe("without the app's storage", () => {
  /** An address that takes a call and never answers. */
  async function silent(): Promise<number> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    return (server.address() as AddressInfo).port;
  }
  /** The storage of the app at another port. */
  const at = (port: number) => ({
    AzureWebJobsStorage: app.connectionString.replaceAll(/(127\.0\.0\.1|localhost):\d+/g, `127.0.0.1:${port}`),
  });
  const otherKey = () => ({
    AzureWebJobsStorage: app.connectionString.replace(
      /AccountKey=[^;]+/,
      `AccountKey=${Buffer.alloc(64).toString('base64')}`,
    ),
  });

  it.each([
    ['is not known', async () => ({}), /the app's storage is not known \(AzureWebJobsStorage__accountName\)/],
    ['does not take the call', async () => at(1), /cannot be read: .*ECONNREFUSED/],
    ['does not answer', async () => at(await silent()), /not to be had within 5 s/],
    ['refuses', async () => otherKey(), /cannot be read: 403 .* It takes the role Storage Blob Data Reader/],
    ['has a wrong name', async () => ({ AzureWebJobsStorage: 'nonsense' }), /is not a connection string/],
  ])('that %s, the list is the same but for the date, and one line says why', async (_, env, why) => {
    const { rows, sinceUnknown, err } = await list(key, { env: await env() });
    expect(rows).toMatchObject([{ account: lost.id, health: 'NoAccess' }]);
    expect(rows[0]).not.toHaveProperty('since');
    expect(sinceUnknown).toMatch(why);
    expect(lines(err)).toEqual([sinceUnknown]);
  });

  it('nobody waits for it where every account serves', async () => {
    const fine = new TestKey(app.azure.world);
    fine.account('pinned');
    const env = at(await silent());
    const began = performance.now();
    const { rows, err } = await list(fine, { env });
    expect(rows).toMatchObject([{ health: 'Serving' }]);
    expect(err).toBe('');
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  it('what the key tells by itself is told, and nothing is missed', async () => {
    const stale = new TestKey(app.azure.world);
    stale.account('pinned');
    const { created } = stale.add();
    const { rows, err } = await list(stale, { env: {} });
    expect(rows).toMatchObject([{ health: 'Stale', since: new Date(created * 1_000).toISOString() }]);
    expect(err).toBe('');
  });
});

describe('by an API that is not the one of the app', () => {
  /** A server of its own, and what it was asked. */
  async function server(answer: RequestListener) {
    const asked: { readonly url: string; readonly token: string | undefined }[] = [];
    const http = createHttpServer((request, response) => {
      asked.push({ url: request.url ?? '', token: request.headers.authorization });
      answer(request, response);
    });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    onTestFinished(() => {
      http.closeAllConnections();
      http.close();
    });
    return { asked, url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` };
  }
  const json =
    (bodyOf: (url: string) => unknown): RequestListener =>
    ({ url = '' }, response) =>
      void response.setHeader('content-type', 'application/json').end(JSON.stringify(bodyOf(url)));
  const report = { startedOn: '2026-01-01T00:00:00.000Z' };
  /** Whatever it answers, the list is the same but for the date, and one line says why. */
  async function listBy(CMK_API: string): Promise<string> {
    const { rows, sinceUnknown = '', err } = await list(key, { env: { CMK_API, CMK_API_AUDIENCE } });
    expect(rows).toMatchObject([{ account: lost.id, health: 'NoAccess' }]);
    expect(rows[0]).not.toHaveProperty('since');
    expect(lines(err)).toEqual([sinceUnknown]);
    return sinceUnknown;
  }

  it.each<[string, RequestListener, RegExp]>([
    ['a page of the web', (_, response) => response.end('<html>Sign in</html>'), /not as the API of the app does/],
    [
      'what has no time',
      json(() => ({ startedOn: 'now' })),
      /another form than this version of cmk reads \(startedOn: /,
    ],
    ['a refusal in other words', (_, response) => response.writeHead(500).end('{"error":1}'), /answers 500/],
    ['findings without a cause', json((url) => (url.endsWith('/drift') ? report : { value: [{ id: '1' }] })), /value/],
    ['no object', json(() => 1), /cannot be read: /],
  ])('answers %s, one line says so', async (_, answer, why) => {
    const { url } = await server(answer);
    const said = await listBy(`${url}/api`);
    expect(said).toMatch(why);
    expect(said).not.toMatch(/: undefined|\[$|\[\.$/);
  });

  it('leads elsewhere, nothing is asked there with the token', async () => {
    const other = await server(json(() => report));
    const { url } = await server((_, response) =>
      response.writeHead(307, { location: `${other.url}/api/drift` }).end(),
    );
    await listBy(`${url}/api`);
    expect(other.asked.filter(({ token }) => token !== undefined)).toEqual([]);
  });

  it.each(['/api/elsewhere', '@127.0.0.1:PORT/', '/api@127.0.0.1:PORT/', 'https://cmk.example.com/'])(
    'has its next page at %s, that is not asked',
    async (next) => {
      const other = await server(json(() => ({ value: [] })));
      const nextLink = next.replace('PORT', new URL(other.url).port);
      const { url, asked } = await server(json((at) => (at === '/drift' ? report : { value: [], nextLink })));
      await listBy(url);
      expect(asked.map((one) => one.url)).toEqual(['/drift', '/drift/newest/findings']);
      expect(other.asked).toEqual([]);
    },
  );

  it('has pages without end, it is asked no more once time is up', async () => {
    const nextLink = '/api/drift/1/findings?after=1';
    const { url, asked } = await server(json((at) => (at.endsWith('/drift') ? report : { value: [], nextLink })));
    expect(await listBy(`${url}/api`)).toContain('not to be had within 5 s');
    const before = asked.length;
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(asked.length - before).toBeLessThanOrEqual(1);
  });

  it('has a body without end, it is not read on', async () => {
    let sent = 0;
    const piece = Buffer.alloc(1 << 20, ' ');
    const { url } = await server((_, response) => {
      const write = (): void => {
        if (response.destroyed) return;
        sent += 1;
        if (response.write(piece)) setImmediate(write);
        else response.once('drain', write);
      };
      write();
    });
    // What is too large for it takes a slow machine longer than it has.
    expect(await listBy(`${url}/api`)).toMatch(/more than \d+ MB|not to be had within 5 s/);
    expect(sent).toBeLessThan(200);
  });
});

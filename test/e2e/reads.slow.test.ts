import { beforeAll, describe, expect, it } from 'vitest';
import type { WorkKind } from '../../src/index/work-items.ts';
import { keyOf, revocationOn } from '../break-glass/break-glass-fixture.ts';
import { type Answer, checkDrift, type RunningApp, signIn } from '../break-glass/running-app.ts';
import { useApps } from '../break-glass/use-running-app.ts';
import { type ApiDocument, expectDocumented } from '../support/documented.ts';
import { eventually } from '../support/eventually.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';
import { workItems } from '../support/work-items.ts';

// A new index for each test would need more lists of encryption scopes than an instance may make in five minutes.
const wire = useWire({ keepsStorage: true });
const startApp = useApps(wire);
let app: RunningApp;
let document: ApiDocument;

beforeAll(async () => {
  app = await appWith();
  document = JSON.parse((await app.call('/openapi.json')).text) as ApiDocument;
});

/** Another instance, which has made no lists of encryption scopes yet. */
async function restart(): Promise<void> {
  await app.stop('SIGTERM');
  app = await appWith();
}

const appWith = (settings: Readonly<Record<string, string>> = {}) => startApp({ CMK_AUTOFIX: 'none', ...settings });

interface Listed {
  readonly vault: string;
  readonly name: string;
  readonly state: string;
  readonly unread: readonly { readonly what: string; readonly reason: string }[];
}

const get = (path: string, as = 'revoker', headers: Record<string, string> = {}, of = app) =>
  of.call(path, { as, headers });
const listed = <T>({ body }: Answer): readonly T[] => body.value as readonly T[];
/** A drift check, and the lists that it asks for: they fill the fleet index. */
async function check(kinds: readonly WorkKind[] = ['list']): Promise<Answer> {
  const answer = await checkDrift(app);
  const services = wire.services();
  await eventually(`no work is left of ${kinds.join(', ')}`, async () => {
    const items = await workItems(services);
    return !items.some(({ kind }) => kinds.includes(kind));
  });
  return answer;
}

/** Every key of the list, page by page. */
async function allKeys(as = 'revoker', of = app): Promise<readonly Listed[]> {
  const keys: Listed[] = [];
  for (let path: string | undefined = '/keys'; path; ) {
    const answer = await get(path, as, {}, of);
    expect(answer.status).toBe(200);
    keys.push(...listed<Listed>(answer));
    path = (answer.body.nextLink as string | undefined)?.slice('/api'.length);
  }
  return keys;
}

async function revoke(key: TestKey, reason = 'A laptop was stolen', of = app): Promise<Answer> {
  const body = { reason, confirm: `${key.vault.name}/${key.name}` };
  const answer = await of.call(`/keys/${key.vault.name}/${key.name}/revoke`, { as: 'operator', method: 'POST', body });
  expect(answer.status).toBe(200);
  return answer;
}

it('the status of a key shows the users of each version, and the estimated time of a rotation', async () => {
  const key = keyOf(wire.azure, 1);

  key.account();
  key.account('automatic');

  expect((await check(['list', 'scopes'])).status).toBe(200);

  const answer = await get(`/keys/${key.vault.name}/${key.name}`);

  expectDocumented(answer, 'keyStatus', document);

  expect(answer.body).toMatchObject({
    versions: [
      { version: key.first.version, enabled: true, activeFrom: expect.any(String), users: { accounts: 2, scopes: 0 } },
    ],
    users: { accounts: 2, lagging: 0, complete: true, oldest: expect.any(String) },
    rotation: { state: 'finished' },
    rotationCost: { moves: 2, seconds: 0 },
    nextRotation: { by: 'none', reason: 'NoExpiry' },
    unread: [],
  });

  let etag = answer.headers.get('etag') ?? '';
  const path = `/keys/${key.vault.name}/${key.name}`;

  // What was not read in time the first time may be the second time.
  await eventually('nothing has changed', async () => {
    const again = await get(path, 'revoker', { 'if-none-match': etag });
    etag = again.headers.get('etag') ?? '';
    return again.status === 304 && again.text === '';
  });

  await revoke(key);

  const { body } = await get(`/keys/${key.vault.name}/${key.name}`);
  const { objectId } = signIn(wire.azure, 'operator');

  expect(body).toMatchObject({
    versions: [{ enabled: false, revoked: true, revokedBy: objectId, revokedOn: expect.any(String) }],
    rotation: { state: 'blocked', reason: 'RevocationOpen' },
    users: { accounts: 2 },
  });

  expect(body).not.toHaveProperty('rotationCost');
});

describe('the keys of the managed vaults', () => {
  it('The keys of the managed vaults are listed with their health, users and next rotation', async () => {
    const vault = 'kv-records';
    const disabled = new TestKey(wire.azure.world, vault);

    disabled.first.enabled = false;

    const old = new TestKey(wire.azure.world, vault);

    old.account();
    old.account('automatic');

    const newest = old.add();
    const gone = new TestKey(wire.azure.world, vault);

    gone.account();
    await restart();

    expect((await check(['list', 'scopes'])).status).toBe(200);

    gone.vault.keys.delete(gone.name);

    const revoked = keyOf(wire.azure, 2);

    await revoke(revoked);

    const answer = await get('/keys');

    expectDocumented(answer, 'keys', document);

    const keys = listed<Listed>(answer);
    const of = (name: string) => keys.find((key) => key.name === name);

    expect(keys.map((key) => key.vault)).not.toContain('kv-other');
    expect(keys.map((key) => `${key.vault}/${key.name}`)).toEqual(
      keys.map((key) => `${key.vault}/${key.name}`).toSorted(),
    );

    expect(of('files-key')).toMatchObject({
      vault: 'kv-files',
      state: 'usable',
      versions: 1,
      users: { accounts: 8, scopes: 1, lagging: 0, complete: true },
      rotation: { state: 'finished' },
      unread: [],
    });

    expect(of(old.name)).toMatchObject({
      state: 'usable',
      newest: { version: newest.version },
      newestUsable: newest.version,
      versions: 2,
      users: { accounts: 2, lagging: 2, versions: [{ version: old.first.version, accounts: 2, scopes: 0 }] },
      nextRotation: { by: 'none', reason: 'NoExpiry' },
    });

    expect(of(disabled.name)).toMatchObject({ state: 'disabled', users: { accounts: 0 } });
    expect(of(gone.name)).toMatchObject({ state: 'missing', users: { accounts: 1 } });

    const { objectId } = signIn(wire.azure, 'operator');
    expect(of(revoked.name)).toMatchObject({
      state: 'revoked',
      revocation: { id: revocationOn(revoked), revokedBy: objectId },
    });
    expect(answer.body.vaults).toMatchObject([{ vault: 'kv-files' }, { vault: 'kv-records' }, { vault: 'hsm-local' }]);
    expect(listed<Listed>(await get('/keys?vault=KV-Records')).map((key) => key.vault)).not.toContain('kv-files');
  });

  it('The keys of the managed vaults are listed in pages, each key once', async () => {
    const one = await appWith();
    const made = Array.from({ length: 60 }, () => keyOf(wire.azure, 1).name);
    const names = (await allKeys('revoker', one)).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(made));
    expect(new Set(names).size).toBe(names.length);
    for (const query of ['?skip=1', '?after=..', '?after=a&after=b', `?vault=${'x'.repeat(1_001)}`]) {
      expect(await get(`/keys${query}`)).toMatchObject({ status: 400, body: { reason: 'QueryInvalid' } });
    }
  });
});

it('GET /audit shows one record in full', async () => {
  const key = keyOf(wire.azure, 1);

  await revoke(key);

  const [found] = listed<{ seq: number; id: string; hash: string }>(await get(`/audit?key=${key.name}`));
  const answer = await get(`/audit/${found?.seq}`);

  expectDocumented(answer, 'auditRecord', document);

  expect(answer.body).toMatchObject({ ...found, prev: expect.stringMatching(/^[0-9a-f]{64}$/) });
  expect(JSON.parse(String(answer.body.line))).toMatchObject({ seq: found?.seq, entry: { resource: key.id() } });
  expect((await get(`/audit/${found?.id}`)).body).toEqual(answer.body);

  const missing = await get('/audit/999999999');

  expectDocumented(missing, 'auditRecord', document);

  expect(missing).toMatchObject({ status: 404, body: { reason: 'AuditRecordNotFound' } });

  const beside = await get('/audit');

  expectDocumented(beside, 'audit', document);

  const tag = beside.headers.get('etag') ?? '';
  expect((await get('/audit', 'revoker', { 'if-none-match': tag })).status).toBe(304);
});

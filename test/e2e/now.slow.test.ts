import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CMK_API_AUDIENCE } from '../../local/azure/constants.ts';
import { run } from '../../src/cli/run.ts';
import type { NowAnswer, NowParts } from '../../src/status/now-schemas.ts';
import { keyOf, revocationOn } from '../break-glass/break-glass-fixture.ts';
import { type Answer, checkDrift, type RunningApp, signIn, tokenOf } from '../break-glass/running-app.ts';
import { useApps } from '../break-glass/use-running-app.ts';
import { type ApiDocument, expectDocumented } from '../support/documented.ts';
import { eventually } from '../support/eventually.ts';
import { TestKey } from '../support/fleet.ts';
import { useStorageGate } from '../support/storage-gate.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const startApp = useApps(wire);
const gate = useStorageGate(wire);
afterEach(() => gate.open());

const PARTS = ['fleet', 'keys', 'pauses', 'rotations', 'drift'] as const;
const nowOf = ({ body }: Answer) => body as unknown as NowAnswer & NowParts;
const ask = (of: RunningApp, as = 'revoker', headers: Record<string, string> = {}, query = '') =>
  of.call(`/now${query}`, { as, headers });

/** Of the whole fleet, and what of it could not be read. */
const summaryOf = (fleet: Answer | undefined) => ({
  ...(fleet?.body.summary as object),
  warnings: fleet?.body.warnings,
});

const isWhole = (answer: Answer) => PARTS.every((part) => !nowOf(answer)[part].reading);

interface Asking {
  readonly as?: string;
  readonly headers?: Record<string, string>;
  readonly query?: string;
}

/** Asks until the answer is as it should be. */
function askUntil(
  what: string,
  of: RunningApp,
  isSo: (answer: Answer) => unknown,
  { as, headers, query }: Asking = {},
): Promise<Answer> {
  return eventually(what, async () => {
    const answer = await ask(of, as, headers, query);
    return isSo(answer) ? answer : undefined;
  });
}

/** Asked until nothing of it is being read any more. */
const askWhole = (of: RunningApp, as = 'revoker') =>
  askUntil('every part has been read', of, (answer) => answer.status !== 200 || isWhole(answer), { as });

function revoke(of: RunningApp, key: TestKey): Promise<Answer> {
  const name = `${key.vault.name}/${key.name}`;
  const body = { reason: 'A laptop was stolen', confirm: name };
  return of.call(`/keys/${name}/revoke`, { as: 'revoker', method: 'POST', body });
}

// First: later tests leave the fleet unhealthy.
describe('cmk now', () => {
  it('cmk now prints one line, with a line for each deviation, and exits 0 only if healthy', async () => {
    const app = await startApp({ CMK_AUTOFIX: 'none' });
    const key = new TestKey(wire.azure.world, 'kv-records');
    const unchecked = nowOf(await askWhole(app));

    expect(unchecked).toMatchObject({ tone: 'none', line: expect.stringMatching(/^No check has run yet/) });
    expect(unchecked.drift.value).toEqual({});
    expect((await checkDrift(app)).status).toBe(200);

    const cmk = async (...args: string[]) => {
      const out: string[] = [];
      const err: string[] = [];
      const code = await run(['now', ...args], {
        environment: { CMK_API: `${app.url}/api`, CMK_API_AUDIENCE },
        out: { write: (text) => out.push(text) },
        err: { write: (text) => err.push(text) },
        ask: undefined,
        credential: {
          getToken: async () => ({ token: tokenOf(wire.azure, 'revoker'), expiresOnTimestamp: Date.now() + 60_000 }),
        },
      });

      return { code, out: out.join(''), err: err.join('') };
    };

    await askUntil('the fleet is healthy', app, ({ body }) => body.line === 'Healthy.');

    const told = await cmk();
    expect(told).toMatchObject({
      code: 0,
      out: expect.stringMatching(
        /^Healthy\.\n\d+ accounts: \d+ serving\.\nBy the fleet index and the drift check of \S+ \(\d+s ago\)\.\n$/,
      ),
    });

    expect((await cmk('--query', 'result.line')).out.trim()).toBe('"Healthy."');
    expect((await revoke(app, key)).status).toBe(200);

    await askUntil('the key is seen', app, (answer) =>
      nowOf(answer).keys.value?.revoked.some(({ name }) => name === key.name),
    );

    const bad = await cmk('-o', 'csv');
    expect(bad.code).toBe(1);
    expect(bad.out).toMatch(/^line,[^,\n]*,bad,/m);
    expect(bad.out).toMatch(new RegExp(`^keys,kv-records/${key.name},revoked,since `, 'm'));

    const document = JSON.parse((await cmk('-o', 'jsonl')).out);
    expect(document).toMatchObject({ version: 1, operation: 'now', result: { tone: 'bad' } });
    expect(bad.err).toBe('');
  });
});

describe('GET /api/now', () => {
  let app: RunningApp;
  let document: ApiDocument;
  beforeAll(async () => {
    app = await startApp({ CMK_AUTOFIX: 'none' });
    document = JSON.parse((await app.call('/openapi.json')).text) as ApiDocument;
  });

  it('GET /api/now is one answer with a headline, composed of the same parts as their own routes', async () => {
    const key = keyOf(wire.azure, 2);

    key.account();

    const before = await askWhole(app);

    expectDocumented(before, 'now', document);

    expect((await checkDrift(app)).status).toBe(200);
    expect((await revoke(app, key)).status).toBe(200);

    const pause = { reason: 'A freeze', key: 'kv-files/archive-key' };
    expect((await app.call('/pause', { as: 'operator', method: 'POST', body: pause })).status).toBe(200);

    const answer = await askUntil('it shows all of it', app, (one) => {
      const { keys, pauses, drift, fleet } = nowOf(one);
      const isRevoked = keys.value?.revoked.some(({ name }) => name === key.name);
      return isRevoked && pauses.value?.length && drift.value?.report && fleet.value?.states.Revoked;
    });

    expectDocumented(answer, 'now', document);

    const now = nowOf(answer);
    expect(now).toMatchObject({ tone: 'bad', line: expect.stringMatching(/^2 keys are revoked/) });

    expect(now.keys.value).toMatchObject({
      revoked: expect.arrayContaining([
        expect.objectContaining({ name: key.name, revocation: expect.objectContaining({ id: revocationOn(key) }) }),
      ]),
      moreRevoked: 0,
      vaultsUnread: 0,
      keysUnread: 0,
      complete: true,
    });

    expect(now.pauses.value).toMatchObject([{ key: expect.stringContaining('/keys/archive-key'), reason: 'A freeze' }]);

    const { id } = (await app.call('/drift', { as: 'revoker' })).body;
    expect(now.drift.value?.report).toMatchObject({ id });
    expect(summaryOf(await app.call('/fleet?top=1', { as: 'revoker' }))).toMatchObject(now.fleet.value ?? {});

    for (const part of PARTS) expect(Date.parse(now[part].readOn ?? '')).toBeGreaterThan(0);
  });

  it('GET /api/now answers while the index hangs, and delays no revocation', async () => {
    const one = await startApp({ CMK_AUTOFIX: 'none' }, gate.connectionString);

    gate.hang('Table');

    const first = await ask(one);
    expect(nowOf(first)).toMatchObject({ fleet: { reading: true }, rotations: { reading: true } });

    await askUntil('what does not hang is there', one, (some) => nowOf(some).drift.value);

    const key = keyOf(wire.azure, 1);
    expect((await revoke(one, key)).body).toMatchObject({ complete: true });

    gate.open();

    await askUntil(
      'what hung is there again',
      one,
      (answer) => nowOf(answer).fleet.value && nowOf(answer).rotations.value,
    );
  });

  it('GET /api/now uses no cached reads after its instance has revoked or restored', async () => {
    const one = await startApp({ CMK_AUTOFIX: 'none' });

    await askWhole(one);

    // Not among those that the vault listed a moment ago.
    const key = keyOf(wire.azure, 1);
    const restore = () =>
      one.call(`/keys/kv-files/${key.name}/restore`, {
        as: 'restorer',
        method: 'POST',
        body: { reason: 'The laptop is back', revocation: revocationOn(key) },
      });

    const isRevoked = (answer: Answer) => nowOf(answer).keys.value?.revoked.some(({ name }) => name === key.name);

    // The first answer that does not say of the keys that they are being read: nothing is to be gone by before.
    const told = () => askUntil('the keys are read', one, (answer) => !nowOf(answer).keys.reading);

    expect((await revoke(one, key)).status).toBe(200);
    expect(isRevoked(await told())).toBe(true);
    expect((await restore()).status).toBe(200);
    expect(isRevoked(await told())).toBe(false);
  });
});

describe('the parts of GET /api/now', () => {
  let app: RunningApp;
  beforeAll(async () => {
    const { objectId } = signIn(wire.azure, 'restorer');
    const narrowed = { role: 'CmkKey.Read', principal: objectId, keys: ['kv-records'] };
    app = await startApp({ CMK_AUTOFIX: 'none', CMK_ROLE_SCOPES: JSON.stringify([narrowed]) });
    expect((await revoke(app, new TestKey(wire.azure.world, 'kv-files'))).status).toBe(200);
  });

  it('The parts of GET /api/now depend on the role of the caller alone, not on an ETag of another caller', async () => {
    const whole = await askWhole(app, 'operator');
    const etag = whole.headers.get('etag') ?? '';
    const other = await ask(app, 'restorer', { 'if-none-match': etag });

    expect(other.status).toBe(200);
    expect(other.text).not.toMatch(/kv-files|stfiles/);
    expect((await ask(app, 'outsider', { 'if-none-match': etag })).status).toBe(403);

    // The role is taken away: the next token does not carry it.
    const person = signIn(wire.azure, 'operator');
    const before = person.appRoles;
    try {
      Object.assign(person, { appRoles: [] });
      expect(await ask(app, 'operator', { 'if-none-match': etag })).toMatchObject({
        status: 403,
        body: { reason: 'RoleMissing' },
      });
    } finally {
      Object.assign(person, { appRoles: before });
    }
  });
});

import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { keyOf, revocationOn } from '../break-glass/break-glass-fixture.ts';
import type { Answer, Body, Call } from '../break-glass/running-app.ts';
import { useRunningApp } from '../break-glass/use-running-app.ts';
import { expectDocumented } from '../support/documented.ts';
import type { TestKey } from '../support/fleet.ts';

const api = useRunningApp();
const { call, wire } = api;

const path = (key: TestKey, action = '') => `/keys/${key.vault.name}/${key.name}${action}`;
const confirm = (key: TestKey) => ({
  reason: 'A laptop was stolen',
  ticket: 'INC-1',
  confirm: `${key.vault.name}/${key.name}`,
});
const revoke = (key: TestKey, as = 'revoker') => call(path(key, '/revoke'), { method: 'POST', as, body: confirm(key) });
const restore = (key: TestKey, as = 'restorer', revocation = revocationOn(key)) =>
  call(path(key, '/restore'), { method: 'POST', as, body: { reason: 'The laptop is back', revocation } });

const expectAsDocumented = (answer: Answer, operation: 'keyStatus' | 'revokeKey' | 'restoreKey') =>
  expectDocumented(answer, operation, api.document);

describe('openapi.json', () => {
  it('The app serves a valid openapi.json without a token', async () => {
    const { status, headers } = await call('/openapi.json');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toMatch(/^application\/json/);
    expect(await new Validator().validate(api.document)).toEqual({ valid: true });
    expect(api.document.openapi).toMatch(/^3\.1\./);
  });

  it('openapi.json describes the answers of the calls', async () => {
    const key = keyOf(wire.azure, 2);
    key.account('pinned', { shares: ['share1'] });
    expectAsDocumented(await call(path(key), { as: 'revoker' }), 'keyStatus');
    expectAsDocumented(await call(path(key, '/revoke?dryRun=true'), { method: 'POST', as: 'revoker' }), 'revokeKey');
    expectAsDocumented(await revoke(key), 'revokeKey');
    expectAsDocumented(await call(path(key), { as: 'revoker' }), 'keyStatus');
    expectAsDocumented(await restore(key, 'restorer', 'cafe'), 'restoreKey');
    expectAsDocumented(await restore(key), 'restoreKey');
    expectAsDocumented(await restore(key), 'restoreKey');
  });

  it('openapi.json describes every refusal', async () => {
    const key = keyOf(wire.azure, 1);
    const post = (action: string, options: Call) => call(path(key, action), { method: 'POST', ...options });
    for (const [answer, status] of [
      [await post('/revoke', { body: confirm(key) }), 401],
      [await post('/revoke', { as: 'outsider', body: confirm(key) }), 403],
      [await post('/revoke', { as: 'revoker', body: { ...confirm(key), confirm: 'another/key' } }), 400],
      [await post('/revoke', { as: 'revoker', body: { reason: 'x' } }), 400],
      [await post('/revoke', { as: 'revoker', body: '{' }), 400],
      [await post('/revoke', { as: 'revoker' }), 415],
      [await post('/revoke', { as: 'revoker', body: { ...confirm(key), reason: 'x'.repeat(20_000) } }), 413],
      [await post('/revoke?dryrun=true', { as: 'revoker', body: confirm(key) }), 400],
      [await post('s/revoke', { as: 'revoker', body: { ...confirm(key), confirm: `kv-files/${key.name}s` } }), 404],
    ] as const) {
      expect(answer.status, answer.text).toBe(status);
      if (answer.body) expectAsDocumented(answer, 'revokeKey');
    }

    await revoke(key, 'operator');
    expectAsDocumented(await restore(key, 'operator'), 'restoreKey');
    wire.azure.faults.add([{ match: { path: `^/keys/${key.name}/` }, answer: { status: 500 } }]);
    expectAsDocumented(await restore(key), 'restoreKey');
    expectAsDocumented(await call(path(key), { as: 'revoker' }), 'keyStatus');
  });
});

it('The app answers a revocation in a vault that is failed over with VaultReadOnly and the second way', async () => {
  const key = keyOf(wire.azure, 2);
  const { settings } = wire.azure.world;
  settings.failedOverVaults = [key.vault.name];

  try {
    const startedOn = Date.now();
    const answer = await revoke(key);

    expect(Date.now() - startedOn).toBeLessThan(2_000);
    expect(answer).toMatchObject({ status: 409, body: { reason: 'VaultReadOnly', audit: 'written' } });
    expect(answer.body.nextStep).toContain("cmk account revoke '<account>' --shared");
    expectAsDocumented(answer, 'revokeKey');
  } finally {
    settings.failedOverVaults = [];
  }
});

describe('a key of an unmanaged vault', () => {
  const asked = [
    'kv-other/other-key',
    'kv-other/nothing',
    'kv-files/nothing',
    'no-such-vault/nothing',
    'kv-files/a.b',
    'kv-files.evil.example/x',
  ];

  it.each([
    ['GET', ''],
    ['POST', '/revoke'],
    ['POST', '/revoke?dryRun=true'],
    ['POST', '/restore'],
  ])(
    'A key of an unmanaged vault gets the same answer to %s …%s whether or not it or its vault exists',
    async (method, action) => {
      const seen = wire.azure.requests.last;

      const answers = await Promise.all(
        asked.map((name) => {
          const body =
            action === '/restore' ? { reason: 'testing', revocation: 'cafe' } : { reason: 'testing', confirm: name };
          return call(`/keys/${name}${action}`, { as: 'operator', method, ...(method === 'POST' ? { body } : {}) });
        }),
      );

      for (const { status, body } of answers) {
        const { instance: _, correlationId: __, ...rest } = body;
        const { instance: ___, correlationId: ____, ...first }: Partial<Body> = answers[0]?.body ?? {};
        expect({ status, ...rest }).toEqual({ ...first, status: 404, reason: 'KeyNotManaged' });
      }

      const hosts = new Set(wire.azure.requests.since(seen).map(({ host }) => host));
      expect(
        [...hosts].filter((host) => host.endsWith('.vault.azure.net') && host !== 'kv-files.vault.azure.net'),
      ).toEqual([]);
    },
  );
});

import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { enabledOf, keyOf } from '../break-glass/break-glass-fixture.ts';
import { keyVaultCalls, methods } from '../break-glass/key-vault-calls.ts';
import type { RunningApp } from '../break-glass/running-app.ts';
import { useApps } from '../break-glass/use-running-app.ts';
import { eventually } from '../support/eventually.ts';
import type { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const startApp = useApps(wire);

/** A port that takes connections and never answers. */
async function silence(): Promise<{ port: number; close: () => void }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const address = server.address();

  return {
    port: typeof address === 'object' && address ? address.port : 0,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

const ARM = { host: 'management.azure.com' };
/** All of it by one person. */
const revoke = (app: RunningApp, { name }: TestKey) =>
  app.call(`/keys/kv-files/${name}/revoke`, {
    method: 'POST',
    as: 'revoker',
    body: { reason: 'A laptop was stolen', confirm: `kv-files/${name}` },
  });

/** An app that has revoked something: at the first call it fetches tokens and signing keys, and opens connections. */
async function startWarm(...settings: Parameters<typeof startApp>): Promise<RunningApp> {
  const app = await startApp(...settings);
  expect((await revoke(app, keyOf(wire.azure, 1))).status).toBe(200);
  return app;
}

const FAULTS = {
  'ARM answers 503 to everything': {
    match: ARM,
    answer: { status: 503, body: { error: { code: 'ServerBusy', message: 'Busy.' } } },
  },
  'ARM never answers': { match: ARM, hang: true },
} as const;

describe.each([
  ['refuse connections', 'ARM answers 503 to everything'],
  ['never answer', 'ARM never answers'],
] as const)('with queue, blob and table endpoints that %s, and where %s', (storage, arm) => {
  let app: RunningApp;
  let silent: Awaited<ReturnType<typeof silence>> | undefined;

  beforeAll(async () => {
    silent = storage === 'never answer' ? await silence() : undefined;
    const unreachable = wire.connectionString.replace(/(127\.0\.0\.1:)\d+/g, `$1${silent?.port ?? 9}`);
    app = await startWarm({}, unreachable);
  });

  afterEach(() => wire.azure.faults.clear());
  afterAll(async () => {
    await app?.stop();
    silent?.close();
  });

  it(`A revocation disables every version while storage endpoints ${storage} and ${arm}, and names what it failed to write or read`, async () => {
    const key = keyOf(wire.azure, 12);

    key.account('pinned', { shares: ['share1'] });
    wire.azure.faults.add([FAULTS[arm]]);

    const seen = wire.azure.requests.last;

    const answer = await revoke(app, key);
    expect(answer.status, answer.text).toBe(200);
    expect(enabledOf(key)).toEqual(Array(12).fill(false));
    expect(answer.body).toMatchObject({ reason: 'Revoked', complete: true });

    // What could not be written.
    expect(answer.body.audit).not.toBe('written');
    expect(answer.body.auditReceipt).toBeUndefined();

    const warnings = answer.body.warnings.join('\n');
    expect(warnings).toMatch(/Not in the audit trail/);
    expect(warnings).toMatch(/does not probe the effect on the file shares/);

    // What could not be read.
    expect(answer.body.dependents).toMatchObject({ complete: false, accounts: [] });
    expect(answer.body.dependents.unread.map(({ what }: { what: string }) => what).join()).toMatch(
      /storage accounts.*other resource types|other resource types.*storage accounts/,
    );

    // Key Vault was asked for what it takes, and no more.
    expect(keyVaultCalls(wire.azure, key.name, seen)).toHaveLength(2 + 2 * 12); // the list, twice; each version is read and written
  });

  it(`A restore enables the key while storage endpoints ${storage} and ${arm}, and names what it failed to write or read`, async () => {
    const key = keyOf(wire.azure, 3);
    const revoked = await revoke(app, key);

    expect(revoked.status).toBe(200);

    wire.azure.faults.add([FAULTS[arm]]);

    const answer = await app.call(`/keys/kv-files/${key.name}/restore`, {
      method: 'POST',
      as: 'restorer',
      body: { reason: 'The laptop is back', revocation: revoked.body.revocation?.id },
    });

    expect(answer.status, answer.text).toBe(200);
    expect(enabledOf(key)).toEqual([true, true, true]);

    const warnings = answer.body.warnings.join('\n');

    for (const said of [
      /audit trail/,
      /does not move the uses of the key now/,
      /not probe the effect/,
      /could be checked/,
    ]) {
      expect(warnings).toMatch(said);
    }
  });
});

describe('with a Key Vault request that hangs', () => {
  let app: RunningApp;
  beforeAll(async () => {
    app = await startWarm();
  });
  afterAll(() => app?.stop());

  it('A revocation disables the other versions at once while a Key Vault request hangs, and names the version that stays enabled', async () => {
    const key = keyOf(wire.azure, 8);

    wire.azure.faults.add([
      { match: { method: 'PATCH', path: `^/keys/${key.name}/${key.first.version}` }, hang: true },
    ]);

    const seen = wire.azure.requests.last;
    const answering = revoke(app, key);

    await eventually('the others are disabled', () => enabledOf(key).filter(Boolean).length === 1);

    const answer = await answering;
    expect(answer).toMatchObject({ status: 502, body: { reason: 'RevocationIncomplete', complete: false } });
    expect(answer.body.detail).toContain(key.first.version);

    const open = answer.body.versions.filter(({ after }: { after: string }) => after !== 'Disabled');
    expect(open).toMatchObject([{ version: key.first.version, after: 'Usable', error: expect.any(String) }]);

    // A request that hangs is aborted after three seconds, twice.
    expect(methods(keyVaultCalls(wire.azure, key.first.version, seen))).toBe('GET PATCH PATCH');

    wire.azure.faults.clear();

    expect(await revoke(app, key)).toMatchObject({ status: 200, body: { complete: true } });
    expect(enabledOf(key)).toEqual(Array(8).fill(false));
  });
});

describe('the status of a key, with the app’s storage and ARM out of reach', () => {
  let app: RunningApp;
  beforeAll(async () => {
    app = await startApp(
      {},
      wire.connectionString.replace(/(127\.0\.0\.1:)\d+/g, (_, host) => `${host}9`),
    );
  });

  afterAll(() => app?.stop());

  it("The status of a key shows versions and revocation without the app's storage and ARM, and names what it failed to read", async () => {
    const key = keyOf(wire.azure, 2);
    wire.azure.faults.add([FAULTS['ARM answers 503 to everything']]);
    const answer = await app.call(`/keys/kv-files/${key.name}`, { as: 'revoker' });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body.versions).toHaveLength(2);
    expect(answer.body.dependents.complete).toBe(false);
    expect(answer.body.warnings.join('\n')).toMatch(/cannot read/);
  });
});

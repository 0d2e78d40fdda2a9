import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { rotateKey } from '../../local/azure/key-vault/keys.ts';
import { watchLifetime } from '../../local/azure/key-vault/lifetime.ts';
import type { StorageAccount } from '../../local/azure/world.ts';
import type { ROTATE_RESPONSE } from '../../src/api/rotate.ts';
import { useApp } from '../support/app.ts';
import { auditEntries } from '../support/audit-lines.ts';
import { eventually } from '../support/eventually.ts';
import { inUse, TestKey, vaultNamed } from '../support/fleet.ts';

const app = useApp();

const key = (vault?: string, options?: object) => new TestKey(app.azure.world, vault, options);
const moved = (accounts: readonly StorageAccount[], version: string) =>
  eventually(`${accounts.length} accounts to use ${version}`, () => accounts.every((one) => inUse(one) === version));
const recordsAbout = (of: TestKey) => app.records().filter((record) => JSON.stringify(record).includes(of.name));
// What is moved by the lists of the start has another cause.
beforeAll(() => app.listed());
afterEach(() => app.azure.faults.clear());

describe('a new version of a key', () => {
  it('A new version of a key moves every account that depends on the key, within seconds of its event', async () => {
    const files = key();
    const accounts = [files.account(), files.account(), files.account('automatic'), files.account('automaticEmpty')];

    await app.found();

    // A decision on the key that still runs would move them first, and name its own cause.
    await app.settled();

    const next = files.rotate();

    await moved(accounts, next.version);

    expect(accounts.map(({ encryption }) => encryption.keyvaultproperties?.keyversion || 'automatic')).toEqual([
      next.version,
      next.version,
      'automatic',
      'automatic',
    ]);

    const found = await eventually('four records of a move', () => {
      const moves = recordsAbout(files).filter(({ reason }) => ['Moved', 'Refreshed'].includes(reason));
      return moves.length === 4 && moves;
    });

    for (const { cause } of found) expect(cause).toMatchObject({ by: 'KeyNewVersionCreated' });
  });

  it('A call of the API creates a new version of a key, once an hour, and records the caller', async () => {
    const files = key();
    const account = files.account();

    await app.found();

    const path = `/keys/kv-files/${files.name}/rotate`;
    const reason = 'Yearly rotation';

    expect(await (await app.call('operator', 'POST', `${path}?dryRun=true`)).json()).toEqual({
      from: files.first.version,
      to: files.first.version,
    });

    Object.assign(files.first, { created: files.first.created - 7_200 });

    expect(await (await app.call('operator', 'POST', `${path}?dryRun=true`)).json()).toEqual({
      from: files.first.version,
    });
    expect((await app.call('revoker', 'POST', path, { reason })).status).toBe(403);

    const { from, to, audit } = (await (await app.call('operator', 'POST', path, { reason })).json()) as z.output<
      typeof ROTATE_RESPONSE
    >;
    expect({ from, audit }).toEqual({ from: files.first.version, audit: 'written' });

    await moved([account], to ?? '');

    expect(await (await app.call('operator', 'POST', path, { reason })).json()).toEqual({ from: to, to });

    const records = await auditEntries(app.connectionString);
    expect(records.filter(({ action, resource }) => action === 'key.rotate' && resource === files.id())).toMatchObject([
      { reason: 'RotationBegun', caller: { name: expect.stringContaining('operator') }, details: { why: reason } },
      {
        reason: 'Rotated',
        caller: { name: expect.stringContaining('operator') },
        details: { to: `${files.id()}/${to}` },
      },
    ]);
  });

  it('The event of a new version in an unmanaged vault is rejected with 202, a record and no request', async () => {
    const other = key('kv-other');

    await app.settled();

    const since = app.azure.requests.last;

    const event = {
      specversion: '1.0',
      id: 'e1',
      type: 'Microsoft.KeyVault.KeyNewVersionCreated',
      source: other.vault.id,
      subject: other.name,
      time: new Date().toISOString(),
      data: { Id: other.id(other.first), VaultName: 'kv-other', ObjectType: 'Key', ObjectName: other.name },
    };

    expect(await app.deliver('keyNewVersionCreated', event)).toBe(202);

    // One that says it comes from a managed vault, and names a key elsewhere.
    const lie = { ...event, source: vaultNamed(app.azure.world, 'kv-files').id };
    expect(await app.deliver('keyNewVersionCreated', lie)).toBe(202);

    await eventually('two records of a refusal', () => {
      const refused = app.records().filter(({ reason }) => reason === 'EventVaultNotManaged');
      return refused.length === 2 && refused;
    });
    await app.settled();

    expect(app.azure.requests.since(since)).toEqual([]);
  });
});

describe('a key near its expiry', () => {
  const DAY = 86_400;
  const nearing = (tags: Record<string, string>) => {
    const now = app.azure.clock.nowSeconds();
    // Near its expiry in a moment: the clock does the rest. It is not moved far, as the app has its own.
    return key('kv-files', { nbf: now - 330 * DAY, exp: now + 30 * DAY + 5, tags });
  };

  const comes = () => app.azure.clock.advance(10_000);
  const outcome = (of: TestKey, reason: string) =>
    eventually(`${reason} for ${of.name}`, () => recordsAbout(of).find((record) => record.reason === reason));

  it('A key near its expiry is rotated, and its accounts move', async () => {
    const archive = nearing({});
    const account = archive.account();
    await app.found();
    comes();
    await outcome(archive, 'Rotated');
    const newest = archive.vault.keys.get(archive.name)?.versions.at(-1);
    expect(newest?.version).not.toBe(archive.first.version);
    await moved([account], newest?.version ?? '');
  });
});

it('an expired version is reported, and accounts that are still on it move to a newer one', async () => {
  const nbf = app.azure.clock.nowSeconds() - 400 * 86_400;
  const files = key('kv-records', { nbf, tags: { 'cmk-rotation': 'manual' } });
  const account = files.account();

  await app.found();

  // A minute ago, by the clocks of all processes.
  files.first.exp = app.azure.clock.nowSeconds() - 60;

  const stored = files.vault.keys.get(files.name);
  if (stored) watchLifetime(app.azure.world, files.vault, stored, rotateKey);

  const principals = Object.values(account.identity?.userAssignedIdentities ?? {});
  expect(principals).toHaveLength(1);

  const record = await eventually('the expiry is reported', () =>
    recordsAbout(files).find(({ reason }) => reason === 'KeyExpired'),
  );
  expect(record).toMatchObject({ level: 'error', version: files.first.version });

  await eventually('it is said that no other version can be used', () =>
    recordsAbout(files).find(({ reason }) => reason === 'NoUsableVersion'),
  );

  const next = files.rotate();

  await moved([account], next.version);
});

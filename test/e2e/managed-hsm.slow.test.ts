import { beforeAll, describe, expect, it } from 'vitest';
import { setRotationPolicy } from '../../local/azure/fleet.ts';
import { revocationOn } from '../break-glass/break-glass-fixture.ts';
import { useApp } from '../support/app.ts';
import { auditLines } from '../support/audit-lines.ts';
import { eventually } from '../support/eventually.ts';
import { group, inUse, TestKey } from '../support/fleet.ts';

// The life of a key of a Managed HSM. A Managed HSM sends no events, so each change starts with the timer.

const app = useApp({ env: { 'AzureWebJobs.hsmWatch.Disabled': 'false' } });

// The moves of the first lists have another cause.
beforeAll(() => app.listed());

/** How often keys of Managed HSMs are read. */
const PERIOD_MS = 5 * 60_000;

function newKey(options = {}): TestKey {
  const key = new TestKey(app.azure.world, 'hsm-local', options);
  setRotationPolicy(app.azure.world, key.vault, key.name, { attributes: { expiryTime: 'P1Y' } });
  return key;
}
const accountOn = (key: TestKey, options = {}) =>
  key.account('pinned', { group: group(app.azure.world, 'rg-vault'), ...options });
const recordsAbout = (key: TestKey) => app.records().filter((record) => JSON.stringify(record).includes(key.name));
/** Runs the timer once. */
async function look(): Promise<void> {
  // The timer skips an occurrence while the previous run still works.
  await app.atRest();
  await app.advance(PERIOD_MS);
}
/** A key that the timer has seen, with its accounts in the index. */
async function seen(key: TestKey): Promise<TestKey> {
  await app.found();
  await look();
  await eventually('the key is seen', () => recordsAbout(key).some(({ reason }) => reason === 'HsmKeyChanged'));
  await app.atRest();
  return key;
}

async function call(method: 'GET' | 'POST', path: string, as: 'operator' | 'revoker' | 'restorer', body?: object) {
  const response = await app.call(as, method, path, body);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** What the audit trail says of a resource. */
async function audited(about: string): Promise<Record<string, unknown>[]> {
  const lines = await auditLines(app.connectionString);
  return lines.filter((line) => line.includes(about)).map((line) => JSON.parse(line).entry);
}

it('a new version in a Managed HSM reaches its accounts within the period of the timer, and no other account', async () => {
  const key = newKey();
  const accounts = [accountOn(key), accountOn(key)];

  await seen(key);

  const next = key.rotate();

  await look();
  await eventually('both accounts use it', () => accounts.every((account) => inUse(account) === next.version));

  for (const account of accounts) {
    const moves = await eventually('the move is recorded', async () => {
      const records = (await audited(account.name)).filter(({ reason }) => reason === 'Moved');
      return records.length > 0 && records;
    });
    expect(moves).toMatchObject([
      { reason: 'Moved', details: { from: key.id(key.first), to: key.id(next), cause: { by: 'hsmWatch' } } },
    ]);
  }
});

it('a key of a Managed HSM near its expiry is rotated by the app, and its accounts move', async () => {
  const key = newKey({ exp: app.azure.clock.nowSeconds() + 35 * 86_400 });
  const account = accountOn(key);
  await seen(key);
  await app.advance(6 * 86_400_000);
  const next = await eventually('the key is rotated', () => key.vault.keys.get(key.name)?.versions[1]);
  expect(next.exp).toBeGreaterThan(app.azure.clock.nowSeconds() + 300 * 86_400);
  await look();
  await eventually('the account uses it', () => inUse(account) === next.version);
});

it('a revocation in a Managed HSM also disables a later version, and is restored exactly, as in a vault', async () => {
  const key = newKey();
  const account = accountOn(key, { shares: ['share1'] });

  await seen(key);

  const path = `/keys/hsm-local/${key.name}`;
  const dry = await call('POST', `${path}/revoke?dryRun=true`, 'revoker', {});

  expect(dry).toMatchObject({
    status: 200,
    body: { dependents: { complete: true, accounts: [{ name: account.name }] } },
  });

  const order = { reason: 'A test', confirm: `hsm-local/${key.name}` };
  expect(await call('POST', `${path}/revoke`, 'revoker', order)).toMatchObject({
    status: 200,
    body: { complete: true },
  });
  expect(key.first.enabled).toBe(false);
  expect(await call('GET', path, 'revoker')).toMatchObject({
    status: 200,
    body: { revocation: { id: revocationOn(key) } },
  });

  const late = key.add();

  await look();
  await eventually('the version that came later is disabled', () => !late.enabled);

  expect(inUse(account)).toBe(key.first.version);

  const restored = await call('POST', `${path}/restore`, 'restorer', {
    reason: 'Over',
    revocation: revocationOn(key),
  });
  expect(restored).toMatchObject({ status: 200, body: { complete: true } });
  expect([key.first.enabled, late.enabled]).toEqual([true, true]);

  await eventually('the account follows', () => inUse(account) === late.version);
});

describe('a re-key', () => {
  it.each([
    ['off', () => [newKey(), new TestKey(app.azure.world, 'kv-files')] as const],
    ['onto', () => [new TestKey(app.azure.world, 'kv-files'), newKey()] as const],
  ])('A re-key moves the uses of a key %s a Managed HSM', async (_, keys) => {
    const [from, to] = keys();
    const account = accountOn(from);
    await app.found();
    const [one, other] = [from, to].map(({ vault, name }) => `${vault.name}/${name}`);
    const ordered = await call('POST', '/rekeys', 'operator', { from: one, to: other, reason: 'A test' });
    expect(ordered.status).toBe(201);
    await eventually('it uses the other key', () => inUse(account) === to.first.version);
    expect(account.encryption.keyvaultproperties?.keyvaulturi).toContain(to.vault.name);
  });
});

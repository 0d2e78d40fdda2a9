import { describe, expect, it } from 'vitest';
import { retireVersions } from '../../src/drift/retire.ts';
import type { Services } from '../../src/services.ts';
import { TestKey, vaultNamed } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';
import { outsider } from './outsider.ts';

const wire = useWire();
const HOUR_MS = 3_600_000;
const world = () => wire.azure.world;

/** Runs the retirement of one key; returns what came of it and what went into the audit trail. */
async function retire(key: TestKey, hours = '24', change: (services: Services) => Partial<Services> = () => ({})) {
  const audited: unknown[] = [];
  const services = wire.services({ CMK_RETIRE_AFTER_HOURS: hours });
  const managed = services.settings.vaults.key(key.id());
  if (!managed) throw new Error('The vault is not managed.');
  const all = {
    ...services,
    audit: async (entry: unknown) => {
      audited.push(entry);
      return { written: { file: 'f', seq: 1, hash: 'h' } };
    },
    ...change(services),
  };
  return { outcome: await retireVersions(managed, 'check-1', all, wire.log), audited };
}

/** A key with an old and a new version, an account on the new one, and so many hours since. */
function movedOn(hours = 25) {
  const key = new TestKey(world());
  const newer = key.add();
  const account = key.account('pinned', { key: key.use('pinned', newer) });
  wire.azure.clock.advance(hours * HOUR_MS);
  return { key, newer, account };
}

const stateOf = ({ vault, name }: TestKey) => vault.keys.get(name)?.versions.map(({ enabled }) => enabled);

describe('retirement', () => {
  it('disables an old version that nobody uses, with the proof in the audit trail', async () => {
    const { key, newer, account } = movedOn();
    const { outcome, audited } = await retire(key);
    expect(outcome).toMatchObject([{ version: key.id(key.first), outcome: 'retired' }]);
    expect(stateOf(key)).toEqual([false, true]);
    expect(key.vault.keys.get(key.name)?.versions[0]?.tags?.['cmk-retired']).toContain(newer.version);
    expect(audited).toMatchObject([
      {
        action: 'key.retire',
        resource: key.id(),
        correlationId: 'check-1',
        details: {
          version: key.id(key.first),
          successor: key.id(newer),
          enabled: false,
          dependents: [{ who: account.id, versions: [newer.version] }],
        },
      },
    ]);
    expect((await retire(key)).outcome).toEqual([]);
  });

  it.each([
    ['an account is pinned to it', (key: TestKey) => void key.account('pinned')],
    ['an automatic account still uses it', (key: TestKey) => void key.account('automatic')],
    [
      'an encryption scope uses it',
      (key: TestKey) =>
        void key.account('pinned', {
          key: key.use('pinned', key.vault.keys.get(key.name)?.versions.at(-1)),
          scopes: [{ name: 'scope1', key: key.use() }],
        }),
    ],
  ])('refuses while %s', async (_, use) => {
    const { key } = movedOn();
    world().settings.automaticCheckMs = 1e12;
    use(key);
    const { outcome, audited } = await retire(key);
    expect(outcome).toMatchObject([{ outcome: 'refused', detail: expect.stringContaining('uses it') }]);
    expect(stateOf(key)).toEqual([true, true]);
    expect(audited).toEqual([]);
  });

  it('does nothing where it is not set, before its time, and while the key is revoked', async () => {
    const { key } = movedOn(23);
    expect((await retire(key)).outcome).toEqual([]);
    wire.azure.clock.advance(2 * HOUR_MS);
    expect((await retire(key, '')).outcome).toEqual([]);
    expect((await retire(key, '48')).outcome).toEqual([]);
    const { revokeKey } = await import('../../src/break-glass/revoke-key.ts');
    const services = wire.services();
    const managed = services.settings.vaults.key(key.id());
    if (managed) await revokeKey(managed, 'revoker', services);
    expect((await retire(key)).outcome).toEqual([]);
  });

  it('is never less than a day after the successor, whatever is set', async () => {
    const { key } = movedOn(23);
    expect((await retire(key, '1')).outcome).toEqual([]);
    expect(wire.services({ CMK_RETIRE_AFTER_HOURS: '1' }).settings.drift.problems).toHaveLength(1);
  });

  it.each([
    ['a subscription', '^/subscriptions/[^/]+/providers/Microsoft.Storage/storageAccounts\\?'],
    ['an encryption scope', '/encryptionScopes\\?'],
    ['the other resource types', 'Microsoft.ResourceGraph'],
  ])('refuses when %s cannot be read', async (_, path) => {
    const { key } = movedOn();
    const error = { code: 'AuthorizationFailed', message: 'No.' };
    wire.azure.faults.add([{ match: { path }, answer: { status: 403, body: { error } } }]);
    const { outcome } = await retire(key);
    expect(outcome.map((one) => one.outcome)).not.toContain('retired');
    expect(stateOf(key)).toEqual([true, true]);
  });

  it('enables the version again when somebody is pinned to it in the meantime', async () => {
    const { key, account } = movedOn();
    const { outcome } = await retire(key, '24', ({ keys }) => ({
      keys: {
        ...keys,
        updateVersion: async (...args: Parameters<typeof keys.updateVersion>) => {
          if (args[2].enabled === false) {
            const keyVaultUri = vaultNamed(world(), 'kv-files').properties.vaultUri;
            await outsider(wire.azure).storage.storageAccounts.update('rg-files', account.name, {
              encryption: {
                keySource: 'Microsoft.Keyvault',
                keyVaultProperties: { keyName: key.name, keyVersion: key.first.version, keyVaultUri },
              },
            });
          }
          return keys.updateVersion(...args);
        },
      },
    }));
    expect(outcome).toMatchObject([{ outcome: 'refused', detail: expect.stringContaining('enabled again') }]);
    expect(stateOf(key)).toEqual([true, true]);
    expect(key.vault.keys.get(key.name)?.versions[0]?.tags ?? {}).not.toHaveProperty('cmk-retired');
  });
});

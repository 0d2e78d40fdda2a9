import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { useLocalAzure } from '../support/local-azure.ts';
import { addSite, ownersClients } from './sdk.ts';

const local = useLocalAzure({ fleet: 'empty' });
let site: ReturnType<typeof addSite>;
let clients: ReturnType<typeof ownersClients>;

beforeEach(() => {
  site = addSite(local.azure);
  clients = ownersClients(local.azure);
  local.azure.world.settings.failedOverVaults = [site.vault.name.toUpperCase()];
});
afterEach(() => {
  local.azure.world.settings.failedOverVaults = [];
});

const keys = () => clients.keys(site.vault);
const names = async (list: AsyncIterable<{ readonly name: string }>) =>
  (await Array.fromAsync(list)).map(({ name }) => name);

describe('a vault whose region is failed over', () => {
  it('A vault that is failed over lists keys and versions, and answers a get and a backup', async () => {
    expect(await names(keys().listPropertiesOfKeys())).toContain('key');
    expect(await names(keys().listPropertiesOfKeyVersions('key'))).toContain('key');
    expect(await keys().getKey('key')).toMatchObject({ name: 'key' });
    expect(await keys().backupKey('key')).toBeDefined();
  });

  it('A vault that is failed over wraps and unwraps for Storage, whose data stays readable', async () => {
    await clients.readShare(site.encrypted.name);
  });

  it('A vault that is failed over rejects the update of a version, which stays as it was', async () => {
    const version = (await keys().getKey('key')).properties.version ?? '';

    await expect(keys().updateKeyProperties('key', version, { enabled: false })).rejects.toMatchObject({
      statusCode: 403,
    });

    expect((await keys().getKey('key')).properties.enabled).toBe(true);
  });

  it.each([
    ['a new key', () => keys().createRsaKey('other')],
    ['a rotation', () => keys().rotateKey('key')],
    ['a deletion', () => keys().beginDeleteKey('key')],
    ['a rotation policy', () => keys().updateKeyRotationPolicy('key', { lifetimeActions: [] })],
    ['the deleted keys, which are not documented to be answered', () => keys().getDeletedKey('key')],
  ])('A vault that is failed over rejects %s', async (_, send) => {
    await expect(send()).rejects.toMatchObject({ statusCode: 403 });
  });

  it('The vault accepts updates again after the failback', async () => {
    local.azure.world.settings.failedOverVaults = [];

    const { properties } = await keys().getKey('key');
    const updated = await keys().updateKeyProperties('key', properties.version ?? '', { enabled: false });

    expect(updated.properties.enabled).toBe(false);
  });
});

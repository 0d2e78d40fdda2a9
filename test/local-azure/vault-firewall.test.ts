import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS } from '../../local/azure/create-world.ts';
import { useLocalAzure } from '../support/local-azure.ts';
import { addSite, ownersClients } from './sdk.ts';

const local = useLocalAzure({ fleet: 'empty' });
let site: ReturnType<typeof addSite>;
let clients: ReturnType<typeof ownersClients>;

beforeEach(() => {
  site = addSite(local.azure);
  clients = ownersClients(local.azure);
});
afterEach(() => {
  Object.assign(local.azure.world.settings, DEFAULT_SETTINGS, { instantProvisioning: true });
});

function close(properties: Record<string, unknown>): void {
  Object.assign(site.vault.properties, properties);
}
const deny = (bypass: string, ...addresses: string[]) => ({
  networkAcls: {
    bypass,
    defaultAction: 'Deny',
    ipRules: addresses.map((value) => ({ value })),
    virtualNetworkRules: [],
  },
});

describe('a caller of a vault with a firewall', () => {
  const read = () => clients.keys(site.vault).getKey('key');

  it.each([
    ['no rule permits its address', deny('AzureServices'), 'ForbiddenByFirewall'],
    ['the rules have other addresses', deny('None', '198.51.100.0/24', '203.0.113.11'), 'ForbiddenByFirewall'],
    ['public access is off', { publicNetworkAccess: 'Disabled' }, 'ForbiddenByConnection'],
    ['a perimeter secures it', { publicNetworkAccess: 'SecuredByPerimeter' }, 'ForbiddenByConnection'],
  ])('A vault rejects a caller if %s', async (_, properties, code) => {
    close(properties);
    const error: unknown = await read().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ statusCode: 403, code: 'Forbidden' });
    expect(JSON.stringify(error)).toContain(code);
  });

  it.each([
    ['its address is in a rule', deny('None', '203.0.113.10')],
    ['its network is in a rule', deny('None', '203.0.113.0/24')],
    ['the firewall permits all', { networkAcls: { bypass: 'None', defaultAction: 'Allow' } }],
  ])('A vault permits a caller if %s', async (_, properties) => {
    close(properties);
    expect(await read()).toMatchObject({ name: 'key' });
  });

  it('A vault permits a caller with a private address, as by a private endpoint', async () => {
    close({ ...deny('None'), publicNetworkAccess: 'Disabled' });
    local.azure.world.settings.callerAddress = '10.1.2.3';
    expect(await read()).toMatchObject({ name: 'key' });
  });
});

describe('Storage at a vault with a firewall', () => {
  const move = () =>
    clients
      .storage(site.subscription.subscriptionId)
      .storageAccounts.update('rg', site.account.name, { encryption: site.encryption });

  it.each([
    ['no trusted service', deny('None')],
    ['no trusted service and public access is off', { ...deny('None'), publicNetworkAccess: 'Disabled' }],
    ['its perimeter alone', { publicNetworkAccess: 'SecuredByPerimeter' }],
  ])('Storage can neither set a key nor read data if the vault permits %s', async (_, properties) => {
    close(properties);
    await expect(move()).rejects.toMatchObject({ statusCode: 403, code: 'KeyVaultAuthenticationFailure' });
    await expect(clients.readShare(site.encrypted.name)).rejects.toMatchObject({
      statusCode: 403,
      code: 'KeyVaultAccessTokenCannotBeAcquired',
    });
  });

  it.each([
    ['trusted services', deny('AzureServices')],
    ['trusted services although public access is off', { ...deny('AzureServices'), publicNetworkAccess: 'Disabled' }],
    ['everyone', { networkAcls: { bypass: 'None', defaultAction: 'Allow' } }],
  ])('Storage can set a key and read data if the vault permits %s', async (_, properties) => {
    close(properties);
    expect(await move()).toMatchObject({ encryption: { keySource: 'Microsoft.Keyvault' } });
    await clients.readShare(site.encrypted.name);
  });
});

import { beforeEach, describe, expect, it } from 'vitest';
import { useLocalAzure } from '../support/local-azure.ts';
import { addSite, ownersClients } from './sdk.ts';

const local = useLocalAzure({ fleet: 'empty' });
let site: ReturnType<typeof addSite>;
let clients: ReturnType<typeof ownersClients>;

beforeEach(() => {
  site = addSite(local.azure);
  clients = ownersClients(local.azure);
});

/** Allows a key exactly these operations. */
function allow(...keyOps: string[]) {
  return clients.keys(site.vault).updateKeyProperties('key', site.version.version, { keyOps });
}

describe.each([
  ['wrap', ['unwrapKey', 'sign']],
  ['unwrap', ['wrapKey', 'sign']],
])('a key that may not %s', (operation, operations) => {
  const refused = { statusCode: 403, code: 'KeyVaultAuthenticationFailure' };

  it(`An account cannot use a key that may not ${operation}`, async () => {
    await allow(...operations);
    const { storageAccounts } = clients.storage(site.subscription.subscriptionId);
    await expect(
      storageAccounts.update('rg', site.account.name, { encryption: site.encryption }),
    ).rejects.toMatchObject(refused);
  });

  it(`An encryption scope cannot use a key that may not ${operation}`, async () => {
    await allow(...operations);
    const { encryptionScopes } = clients.storage(site.subscription.subscriptionId);
    const scope = {
      source: 'Microsoft.KeyVault',
      keyVaultProperties: { keyUri: `${site.vault.properties.vaultUri}keys/key` },
    };
    await expect(encryptionScopes.put('rg', site.encrypted.name, 'scope1', scope)).rejects.toMatchObject(refused);
  });
});

it('Data are unreadable while the key version in use may not unwrap', async () => {
  await clients.readShare(site.encrypted.name);

  await allow('wrapKey', 'sign');

  await expect(clients.readShare(site.encrypted.name)).rejects.toMatchObject({
    statusCode: 403,
    code: 'KeyVaultEncryptionKeyNotFound',
  });

  await allow('unwrapKey');
  await clients.readShare(site.encrypted.name);
});

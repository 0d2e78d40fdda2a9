import { ClientSecretCredential, ManagedIdentityCredential } from '@azure/identity';
import { CryptographyClient, KeyClient } from '@azure/keyvault-keys';
import { describe, expect, it } from 'vitest';
import { CLIENT_IDS, TENANT_ID } from '../../../local/azure/constants.ts';
import { addVault } from '../../../local/azure/fleet.ts';
import { useLocalAzure } from '../../support/local-azure.ts';

const local = useLocalAzure({ fleet: 'sample' });

function signIn(clientId: string): ClientSecretCredential | ManagedIdentityCredential {
  if (clientId === CLIENT_IDS.app) return new ManagedIdentityCredential();
  return new ClientSecretCredential(TENANT_ID, clientId, local.azure.world.principals.get(clientId)?.secret ?? '');
}

function client(vault = 'kv-files', clientId: string = CLIENT_IDS.owner): KeyClient {
  return new KeyClient(`https://${vault}.vault.azure.net`, signIn(clientId), { retryOptions: { maxRetries: 0 } });
}

describe('the unmodified key client', () => {
  it('An owner cannot create a key in a vault on which the owner has no data role', async () => {
    const { world } = local.azure;
    const [group] = world.resourceGroups.values();
    if (!group) throw new Error('The sample fleet has groups.');
    addVault(world, group, 'kv-just-made');
    await expect(client('kv-just-made').createRsaKey('k')).rejects.toMatchObject({
      statusCode: 403,
      code: 'Forbidden',
    });
    await expect(client('kv-other').getKey('other-key')).resolves.toMatchObject({ name: 'other-key' });
  });

  it('A disabled version does not unwrap, and the other version of the key stays enabled', async () => {
    const keys = client();
    const old = await keys.createRsaKey('wrap-key');

    await keys.createRsaKey('wrap-key');

    const crypto = new CryptographyClient(old.id ?? '', signIn(CLIENT_IDS.owner));
    const secret = Buffer.from('account key');
    const { result } = await crypto.wrapKey('RSA-OAEP-256', secret);

    expect(Buffer.from((await crypto.unwrapKey('RSA-OAEP-256', result)).result)).toEqual(secret);

    await keys.updateKeyProperties('wrap-key', old.properties.version ?? '', { enabled: false });

    await expect(crypto.unwrapKey('RSA-OAEP-256', result)).rejects.toMatchObject({
      statusCode: 403,
      code: 'Forbidden',
    });
    expect((await keys.getKey('wrap-key')).properties.enabled).toBe(true);
  });
});

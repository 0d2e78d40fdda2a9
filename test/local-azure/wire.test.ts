import { SubscriptionClient } from '@azure/arm-resources-subscriptions';
import { StorageManagementClient } from '@azure/arm-storage';
import { ClientSecretCredential, ManagedIdentityCredential } from '@azure/identity';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import { CLIENT_IDS, CMK_API_CLIENT_ID, SUBSCRIPTION_ID, TENANT_ID } from '../../local/azure/constants.ts';
import { useLocalAzure } from '../support/local-azure.ts';

const local = useLocalAzure({ fleet: 'sample' });

describe('the wire', () => {
  it("answers the unmodified SDKs under Azure's own names, by managed identity", async () => {
    const credential = new ManagedIdentityCredential();
    const subscriptions: string[] = [];
    for await (const { displayName } of new SubscriptionClient(credential).subscriptions.list()) {
      subscriptions.push(displayName ?? '');
    }
    expect(subscriptions).toEqual(['Local Files', 'Local Records']);

    const names: string[] = [];
    const storage = new StorageManagementClient(credential, SUBSCRIPTION_ID);
    for await (const { name } of storage.storageAccounts.list()) names.push(name ?? '');
    expect(names).toContain('stfiles01');
  });

  it('refuses every other host at once, and notes it', async () => {
    const since = local.azure.requests.last;
    await expect(fetch('https://example.com/')).rejects.toThrow();
    expect(local.azure.requests.since(since)).toMatchObject([
      { host: 'example.com', method: 'CONNECT', status: 403, refused: true },
    ]);
  });

  it('signs tokens that jose verifies by the published key set', async () => {
    const credential = new ClientSecretCredential(
      TENANT_ID,
      CLIENT_IDS.robot,
      local.azure.world.principals.get(CLIENT_IDS.robot)?.secret ?? '',
    );
    const token = await credential.getToken('api://cmk-autopilot/.default');
    const keySet = createRemoteJWKSet(new URL(`https://login.microsoftonline.com/${TENANT_ID}/discovery/v2.0/keys`));
    const { payload } = await jwtVerify(token.token, keySet, {
      audience: CMK_API_CLIENT_ID,
      issuer: `https://login.microsoftonline.com/${TENANT_ID}/v2.0`,
      algorithms: ['RS256'],
    });
    expect(payload).toMatchObject({
      roles: ['CmkKey.Restore'],
      azp: CLIENT_IDS.robot,
      azpacr: '1',
      ver: '2.0',
      tid: TENANT_ID,
    });
  });
});

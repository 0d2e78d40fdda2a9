import { text } from 'node:stream/consumers';
import { ClientSecretCredential } from '@azure/identity';
import { BlobServiceClient } from '@azure/storage-blob';
import { describe, expect, it } from 'vitest';
import { CLIENT_IDS, TENANT_ID } from '../../local/azure/constants.ts';
import { useLocalAzure } from '../support/local-azure.ts';

const local = useLocalAzure({ fleet: 'sample' });

const account = () => {
  const found = local.azure.world.storageAccounts.get('stfiles06');
  if (!found) throw new Error('no stfiles06');
  return found;
};
const container = () => {
  const secret = local.azure.world.principals.get(CLIENT_IDS.owner)?.secret ?? '';
  const credential = new ClientSecretCredential(TENANT_ID, CLIENT_IDS.owner, secret);
  const client = new BlobServiceClient('https://stfiles06.blob.core.windows.net', credential, {
    retryOptions: { maxTries: 1 },
  });
  return client.getContainerClient('data');
};
const got = async (name: string): Promise<string> => {
  try {
    const { readableStreamBody } = await container().getBlockBlobClient(name).download();
    return readableStreamBody ? await text(readableStreamBody) : '';
  } catch (error) {
    return `refused ${(error as { statusCode?: number }).statusCode}`;
  }
};

describe('the unmodified blob client', () => {
  it('reads and writes with an encryption scope, until it is disabled', async () => {
    await container().getBlockBlobClient('in').upload('scoped', 6, { encryptionScope: 'scope1' });
    await container().getBlockBlobClient('out').upload('plain', 5);
    expect([await got('in'), await got('out')]).toEqual(['scoped', 'plain']);
    const scope = account().encryptionScopes.get('scope1');
    account().encryptionScopes.set('scope1', { ...scope, state: 'Disabled' } as NonNullable<typeof scope>);
    expect([await got('in'), await got('out')]).toEqual(['refused 403', 'plain']);
    account().encryptionScopes.set('scope1', scope as NonNullable<typeof scope>);
    expect(await got('in')).toBe('scoped');
  });

  it('is refused both when the identity of the account has no role any more', async () => {
    const identity = [...local.azure.world.identities.values()].find(({ name }) => name === 'id-storage');
    for (const [id, { principalId }] of local.azure.world.roleAssignments) {
      if (principalId === identity?.principalId) local.azure.world.roleAssignments.delete(id);
    }
    expect([await got('in'), await got('out')]).toEqual(['refused 403', 'refused 403']);
    expect(await got('none')).toBe('refused 404');
  });
});

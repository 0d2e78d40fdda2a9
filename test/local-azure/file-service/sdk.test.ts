import { ClientSecretCredential, ManagedIdentityCredential } from '@azure/identity';
import { ShareServiceClient } from '@azure/storage-file-share';
import { afterEach, describe, expect, it } from 'vitest';
import { CLIENT_IDS, TENANT_ID } from '../../../local/azure/constants.ts';
import type { KeyVersion } from '../../../local/azure/world.ts';
import { useLocalAzure } from '../../support/local-azure.ts';

const local = useLocalAzure({ fleet: 'sample' });

function service(account: string, clientId: string = CLIENT_IDS.owner): ShareServiceClient {
  const secret = local.azure.world.principals.get(clientId)?.secret ?? '';
  const credential =
    clientId === CLIENT_IDS.app
      ? new ManagedIdentityCredential()
      : new ClientSecretCredential(TENANT_ID, clientId, secret);
  const options = { fileRequestIntent: 'backup' as const, retryOptions: { maxTries: 1 } };
  return new ShareServiceClient(`https://${account}.file.core.windows.net`, credential, options);
}

async function list(account: string, clientId?: string): Promise<string[]> {
  const names: string[] = [];
  const root = service(account, clientId).getShareClient('share1').rootDirectoryClient;
  for await (const { name } of root.listFilesAndDirectories()) names.push(name);
  return names;
}

function filesKey(): KeyVersion[] {
  return local.azure.world.vaults.get('kv-files')?.keys.get('files-key')?.versions ?? [];
}

describe('the unmodified file share client', () => {
  afterEach(() => {
    for (const version of filesKey()) version.enabled = true;
  });

  it('lists shares, lists a root, writes and reads a file', async () => {
    const shares: string[] = [];
    for await (const { name } of service('stfiles01').listShares()) shares.push(name);
    expect(shares).toEqual(['share1', 'share2']);

    const root = service('stfiles01').getShareClient('share1').rootDirectoryClient;
    const file = root.getFileClient('a & b.txt');
    await file.create(5);
    await file.uploadRange('hello', 0, 5);

    expect((await file.downloadToBuffer()).toString()).toBe('hello');
    expect(await list('stfiles01')).toEqual(['a & b.txt', 'readme.txt']);
  });

  it('is refused while the key is disabled, account by account of that key, and let in again', async () => {
    for (const version of filesKey()) version.enabled = false;
    for (const account of ['stfiles01', 'stfiles07']) {
      await expect(list(account)).rejects.toMatchObject({ statusCode: 403, code: 'KeyVaultEncryptionKeyNotFound' });
    }
    expect(await list('starchive01')).toEqual(['readme.txt']);
    expect(await list('stplain01')).toEqual(['readme.txt']);

    for (const version of filesKey()) version.enabled = true;
    expect(await list('stfiles07')).toEqual(['readme.txt']);
  });
});

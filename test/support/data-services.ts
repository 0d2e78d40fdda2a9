import { TableClient } from '@azure/data-tables';
import { ClientSecretCredential } from '@azure/identity';
import { BlobServiceClient } from '@azure/storage-blob';
import { ShareServiceClient } from '@azure/storage-file-share';
import { QueueClient } from '@azure/storage-queue';
import { CLIENT_IDS, TENANT_ID } from '../../local/azure/constants.ts';
import { assignRole } from '../../local/azure/roles/assign-role.ts';
import { BUILT_IN_ROLES } from '../../local/azure/roles/built-in-roles.ts';
import type { StorageAccount, World } from '../../local/azure/world.ts';

const ONCE = { retryOptions: { maxRetries: 0, maxTries: 1 } };

/** Lets the owner read and write the data of an account, which has a share and a container `data` then. */
export function openData(world: World, { id, fileShares, blobContainers }: StorageAccount): void {
  for (const role of [
    'Storage Blob Data Contributor',
    'Storage File Data Privileged Contributor',
    'Storage Queue Data Contributor',
    'Storage Table Data Contributor',
  ] as const) {
    const principalId = world.principals.get(CLIENT_IDS.owner)?.objectId ?? '';
    assignRole(world, { scope: id, principalId, role: BUILT_IN_ROLES[role], settled: true });
  }

  fileShares.set('data', { name: 'data', enabledProtocols: 'SMB', shareQuota: 5120, files: ['readme.txt'] });
  blobContainers.set('data', { name: 'data', defaultEncryptionScope: undefined, blobs: new Map() });
}

/** What the unmodified clients say of each data service of an account: `open` when it took and gave data, else Azure's code. */
export async function readData(world: World, { name }: StorageAccount): Promise<Record<string, string>> {
  const secret = world.principals.get(CLIENT_IDS.owner)?.secret ?? '';
  const credential = new ClientSecretCredential(TENANT_ID, CLIENT_IDS.owner, secret);
  const at = (service: string): string => `https://${name}.${service}.core.windows.net`;
  const services: Record<string, () => Promise<unknown>> = {
    async blob() {
      const blob = new BlobServiceClient(at('blob'), credential, ONCE)
        .getContainerClient('data')
        .getBlockBlobClient('b');
      await blob.upload('written', 7);
      await blob.download();
    },
    async file() {
      const files = new ShareServiceClient(at('file'), credential, { ...ONCE, fileRequestIntent: 'backup' });
      await files.getShareClient('data').rootDirectoryClient.listFilesAndDirectories().byPage().next();
    },
    async queue() {
      const queue = new QueueClient(`${at('queue')}/data`, credential, ONCE);
      await queue.create();
      await queue.sendMessage('written');
      await queue.peekMessages();
    },
    async table() {
      const table = new TableClient(at('table'), 'data', credential, ONCE);
      await table.createTable();
      await table.createEntity({ partitionKey: 'p', rowKey: 'r' });
      await table.listEntities().next();
    },
  };

  const answers = Object.entries(services).map(async ([service, ask]): Promise<[string, string]> => {
    const code = await ask().then(
      () => 'open',
      (error: { code?: string; details?: { odataError?: { code?: string } } }) =>
        error.details?.odataError?.code ?? error.code ?? String(error),
    );
    return [service, code];
  });

  return Object.fromEntries(await Promise.all(answers));
}

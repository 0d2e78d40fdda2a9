import type { Cloud } from '../azure/cloud.ts';
import type { TokenCredential } from '../azure/credential.ts';
import { type BlobContainers, createBlobContainers } from '../dependents/blob-containers-client.ts';
import { createFileShares, type FileShares } from '../dependents/file-shares-client.ts';
import { type BlobService, createBlobService } from './blob-service-client.ts';
import { createFileService, type FileService } from './file-service-client.ts';

/** What accounts keep, by Azure Resource Manager; and the services that have it, asked whether they still serve. */
export interface DataClients {
  readonly shares: FileShares;
  readonly containers: BlobContainers;
  readonly fileService: FileService;
  readonly blobService: BlobService;
}

/** No call is made yet. */
export function createDataServices(credential: TokenCredential, cloud: Cloud): DataClients {
  return {
    shares: createFileShares(credential, cloud),
    containers: createBlobContainers(credential, cloud),
    fileService: createFileService(credential, cloud),
    blobService: createBlobService(credential, cloud),
  };
}

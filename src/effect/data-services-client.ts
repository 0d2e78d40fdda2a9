import type { TokenCredential } from '@azure/identity';
import { type BlobItem, BlobServiceClient } from '@azure/storage-blob';
import { ShareServiceClient } from '@azure/storage-file-share';
import type { Cloud } from '../azure/cloud.ts';
import { withinTime } from '../azure/deadline.ts';
import {
  ACCOUNT_KEY,
  type BlobContainers,
  createBlobContainers,
  createFileShares,
  type FileShares,
} from '../dependents/stored-data-client.ts';
import { requireList } from './classify-answer.ts';

/** The file service of storage accounts, with the app's own identity. */
export interface FileService {
  /**
   * Lists the root of a share, one entry: one of the operations that Storage refuses while the key cannot be used
   * ("Customer-managed keys for Azure Storage encryption"). Resolves when it is served. No retries, a few seconds at most.
   *
   * @throws the SDK's error: read it with `describeFailure`
   */
  listRoot(account: string, share: string, signal?: AbortSignal): Promise<void>;
}

/** Deadline of a whole call, token included. Milliseconds. */
const TIMEOUT_MS = 5_000;
/** The SDK passes these options to each of its clients. */
const ANSWERS = { onResponse: requireList };

export function createFileService(credential: TokenCredential, cloud: Cloud): FileService {
  return {
    async listRoot(account, share, signal) {
      const service = new ShareServiceClient(`https://${account}.file.${cloud.storageSuffix}`, credential, {
        // Files over REST with a token takes no other intent.
        fileRequestIntent: 'backup',
        retryOptions: { maxTries: 1, tryTimeoutInMs: TIMEOUT_MS },
      });
      const root = service.getShareClient(share).rootDirectoryClient;
      await withinTime(
        TIMEOUT_MS,
        (limit) =>
          root
            .listFilesAndDirectories({ ...limit, ...ANSWERS })
            .byPage({ maxPageSize: 1 })
            .next(),
        signal,
      );
    },
  };
}

/** What accounts keep, by Azure Resource Manager; and the services that have it, asked whether they still serve. */
export interface DataClients {
  readonly shares: FileShares;
  readonly containers: BlobContainers;
  readonly fileService: FileService;
  readonly blobService: BlobService;
}

export function createDataServices(credential: TokenCredential, cloud: Cloud): DataClients {
  return {
    shares: createFileShares(credential, cloud),
    containers: createBlobContainers(credential, cloud),
    fileService: createFileService(credential, cloud),
    blobService: createBlobService(credential, cloud),
  };
}

/** The blob service of storage accounts, with the app's own identity. */
export interface BlobService {
  /**
   * Lists the first blobs of a container with their metadata. Without metadata, Storage answers a list even while the key
   * cannot be used ("Customer-managed keys for Azure Storage encryption"). No retries, a few seconds at most.
   *
   * @returns whether a blob is under the key of the account. Directories, and blobs under a scope or a key of their own, do not
   *   depend on that key
   * @throws the SDK's error: read it with `describeFailure`
   */
  listFirst(account: string, container: string, signal?: AbortSignal): Promise<boolean>;
}

/** A page may be empty and not the last one ("List Blobs"), or have no blob under the account's key. */
const MOST_PAGES = 3;
/** Directories come before what is in them. */
const PAGE_SIZE = 10;

function createBlobService(credential: TokenCredential, cloud: Cloud): BlobService {
  return {
    async listFirst(account, container, signal) {
      const service = new BlobServiceClient(`https://${account}.blob.${cloud.storageSuffix}`, credential, {
        retryOptions: { maxTries: 1, tryTimeoutInMs: TIMEOUT_MS },
      });
      const blobs = service.getContainerClient(container);
      return withinTime(
        TIMEOUT_MS,
        async (limit) => {
          const options = { includeMetadata: true, ...limit, ...ANSWERS };
          const pages = blobs.listBlobsFlat(options).byPage({ maxPageSize: PAGE_SIZE });
          for (let read = 0; read < MOST_PAGES; read += 1) {
            const page = await pages.next();
            if (page.done) return false;
            if (page.value.segment.blobItems.some(isUnderAccountKey)) return true;
          }
          return false;
        },
        signal,
      );
    },
  };
}

/** Whether it is a blob under the key of the account: no directory, no blob under a scope or a key of its own. */
function isUnderAccountKey({ metadata, properties }: BlobItem): boolean {
  const { encryptionScope = ACCOUNT_KEY, customerProvidedKeySha256 } = properties;
  const isDirectory = metadata?.hdi_isfolder?.toLowerCase() === 'true';
  return !isDirectory && encryptionScope === ACCOUNT_KEY && customerProvidedKeySha256 === undefined;
}

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

/** File service of storage accounts, called with the app's identity. */
export interface FileService {
  /**
   * Lists one entry in the root of a share. Storage rejects this operation while the key is unusable ("Customer-managed
   * keys for Azure Storage encryption"). Resolves after a successful answer. No retries; takes a few seconds at most.
   *
   * @throws the SDK's error, which `describeFailure` describes
   */
  listRoot(account: string, share: string, signal?: AbortSignal): Promise<void>;
}

/** Deadline of a whole call, including its token request. Milliseconds. */
const TIMEOUT_MS = 5_000;
/** The SDK passes these options to each of its clients. */
const ANSWERS = { onResponse: requireList };

export function createFileService(credential: TokenCredential, cloud: Cloud): FileService {
  return {
    async listRoot(account, share, signal) {
      const service = new ShareServiceClient(`https://${account}.file.${cloud.storageSuffix}`, credential, {
        // Azure Files requires this intent for REST calls with a token.
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

/** Shares and containers from Azure Resource Manager, and the data services that the probe calls. */
interface DataClients {
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

/** Blob service of storage accounts, called with the app's identity. */
export interface BlobService {
  /**
   * Lists the first blobs of a container with their metadata. Without metadata, Storage returns a list even while the
   * key is unusable ("Customer-managed keys for Azure Storage encryption"). No retries; takes a few seconds at most.
   *
   * @returns whether a blob uses the account's key. Directories, and blobs with an encryption scope or a
   *   customer-provided key, do not use it
   * @throws the SDK's error, which `describeFailure` describes
   */
  listFirst(account: string, container: string, signal?: AbortSignal): Promise<boolean>;
}

/** Maximum number of pages. An empty page need not be the last ("List Blobs"). */
const MOST_PAGES = 3;
/** Larger than 1, since directories come before their contents. */
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

/** Returns whether the account's key encrypts a blob. Directories, and blobs with another key, return false. */
function isUnderAccountKey({ metadata, properties }: BlobItem): boolean {
  const { encryptionScope = ACCOUNT_KEY, customerProvidedKeySha256 } = properties;
  const isDirectory = metadata?.hdi_isfolder?.toLowerCase() === 'true';
  return !isDirectory && encryptionScope === ACCOUNT_KEY && customerProvidedKeySha256 === undefined;
}

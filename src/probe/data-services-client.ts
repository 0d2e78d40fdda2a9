import type { TokenCredential } from '@azure/identity';
import { type BlobItem, BlobServiceClient } from '@azure/storage-blob';
import { ShareServiceClient } from '@azure/storage-file-share';
import type { Cloud } from '../azure/cloud.ts';
import { runWithAbortSignal } from '../azure/deadline.ts';
import { ACCOUNT_KEY } from '../key-users/stored-data-client.ts';
import type { DataService } from './service-words.ts';

/**
 * Lists the first entries of a share or container with the app's identity: an operation that Storage rejects while the
 * key is unusable ("Customer-managed keys for Azure Storage encryption"). No retries; takes a few seconds at most.
 *
 * @returns whether the list shows data that the account's key encrypts
 * @throws the SDK's error, which `describeFailure` describes
 */
export type ListData = (account: string, place: string, signal?: AbortSignal) => Promise<boolean>;

/** Deadline of a whole call, including its token request. Milliseconds. */
const TIMEOUT_MS = 5_000;
const ONCE = { retryOptions: { maxTries: 1, tryTimeoutInMs: TIMEOUT_MS } };
/** The SDK passes these options to each of its clients. */
const ANSWERS = { onResponse: requireList };
type Limit = { readonly abortSignal: AbortSignal };

function createFileList(credential: TokenCredential, cloud: Cloud): ListData {
  return (account, share, signal) => {
    // Azure Files requires this intent for REST calls with a token.
    const options = { ...ONCE, fileRequestIntent: 'backup' } as const;
    const service = new ShareServiceClient(`https://${account}.file.${cloud.storageSuffix}`, credential, options);
    const root = service.getShareClient(share).rootDirectoryClient;
    const list = async (limit: Limit): Promise<boolean> => {
      const entries = root.listFilesAndDirectories({ ...limit, ...ANSWERS });
      await entries.byPage({ maxPageSize: 1 }).next();
      return true;
    };

    return runWithAbortSignal(TIMEOUT_MS, list, signal);
  };
}

/** Maximum number of pages. An empty page need not be the last ("List Blobs"). */
const MOST_PAGES = 3;
/** Larger than 1, since directories come before their contents. */
const PAGE_SIZE = 10;

/** Lists blobs with their metadata: without it, Storage returns a list even while the key is unusable. */
function createBlobList(credential: TokenCredential, cloud: Cloud): ListData {
  return (account, container, signal) => {
    const service = new BlobServiceClient(`https://${account}.blob.${cloud.storageSuffix}`, credential, ONCE);
    const blobs = service.getContainerClient(container);
    const list = async (limit: Limit): Promise<boolean> => {
      const options = { includeMetadata: true, ...limit, ...ANSWERS };
      const pages = blobs.listBlobsFlat(options).byPage({ maxPageSize: PAGE_SIZE });
      for (let read = 0; read < MOST_PAGES; read += 1) {
        const page = await pages.next();
        if (page.done) return false;
        if (page.value.segment.blobItems.some(isUnderAccountKey)) return true;
      }
      return false;
    };

    return runWithAbortSignal(TIMEOUT_MS, list, signal);
  };
}

/** Returns whether the account's key encrypts a blob. Directories, and blobs with another key, return false. */
function isUnderAccountKey({ metadata, properties }: BlobItem): boolean {
  const { encryptionScope = ACCOUNT_KEY, customerProvidedKeySha256 } = properties;
  const isDirectory = metadata?.hdi_isfolder?.toLowerCase() === 'true';
  return !isDirectory && encryptionScope === ACCOUNT_KEY && customerProvidedKeySha256 === undefined;
}

/** Returns the list of each service of a storage account. */
export function createDataLists(credential: TokenCredential, cloud: Cloud): Readonly<Record<DataService, ListData>> {
  return { file: createFileList(credential, cloud), blob: createBlobList(credential, cloud) };
}

/**
 * Checks every answer of a list: an answer with status 200 may contain an error, or come from a proxy.
 *
 * @throws an error with the code in the answer's body, if any
 */
export function requireList({ status, bodyAsText }: { status: number; bodyAsText?: string | null }): void {
  if (status !== 200 || bodyAsText?.includes('<EnumerationResults')) return;
  const [, code = 'NotAList'] = /<Code>(\w+)<\/Code>/.exec(bodyAsText ?? '') ?? [];
  const error = new Error('The answer contains no list, so the probe has no result.');
  throw Object.assign(error, { statusCode: status, code });
}

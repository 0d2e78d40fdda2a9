import type { TokenCredential } from '@azure/identity';
import { ShareServiceClient } from '@azure/storage-file-share';
import type { Cloud } from '../azure/cloud.ts';
import { withinTime } from '../azure/deadline.ts';
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

/** The whole call, token included, is given up after this. Milliseconds. */
const TIMEOUT_MS = 5_000;
/** The SDK hands it on to what all its clients are made of. */
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

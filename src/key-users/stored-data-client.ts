import type { TokenCredential } from '@azure/identity';
import type { Cloud } from '../azure/cloud.ts';
import { listUnlessUnsupported } from '../azure/failure.ts';
import type { CallLimits } from '../azure/limits.ts';
import type { ResourceId } from '../azure/resource-id.ts';
import { createStorageManagement, toAbortOption } from '../azure/resource-manager.ts';
import type { DependentAccount } from './dependent.ts';

// Lists of Azure Resource Manager, which work even if the account's key is unusable. They throw the SDK's errors: read
// them with `describeFailure`.

export type FileShare = DependentAccount['shares'][number];

type StoredData = ReturnType<typeof createStoredData>;
export type FileShares = StoredData['shares'];
export type BlobContainers = StoredData['containers'];
export type DeletedAccounts = StoredData['deletedAccounts'];

/** Scope name of containers and blobs without an encryption scope (Storage, "Create and manage encryption scopes"). */
export const ACCOUNT_KEY = '$account-encryption-key';

export function createStoredData(credential: TokenCredential, cloud: Cloud, limits?: CallLimits) {
  const clientOf = createStorageManagement(credential, cloud, limits);

  return {
    shares: {
      /** Every share of an account, except soft-deleted shares; none of an account for blobs alone. */
      async *list(id: ResourceId, signal?: AbortSignal): AsyncIterable<FileShare> {
        const { fileShares } = clientOf(id.subscriptionId);
        const list = fileShares.list(id.resourceGroup, id.name, toAbortOption(signal));
        for await (const share of listUnlessUnsupported(list)) {
          const { name, deleted, enabledProtocols } = share;
          if (name && !deleted) yield { name, protocol: enabledProtocols?.toUpperCase() === 'NFS' ? 'NFS' : 'SMB' };
        }
      },
    },
    containers: {
      /**
       * Names of the containers that use the key of the account; none of an account for files alone. A client may still write single blobs with an encryption
       * scope.
       */
      async *list(id: ResourceId, signal?: AbortSignal): AsyncIterable<string> {
        const { blobContainers } = clientOf(id.subscriptionId);
        const list = blobContainers.list(id.resourceGroup, id.name, toAbortOption(signal));
        for await (const container of listUnlessUnsupported(list)) {
          const { name, deleted, defaultEncryptionScope } = container;
          if (name && !deleted && (defaultEncryptionScope ?? ACCOUNT_KEY) === ACCOUNT_KEY) yield name;
        }
      },
    },
    deletedAccounts: {
      /** Former ARM ids of deleted accounts that can be recovered, for 14 days. Azure does not return their keys. */
      async *deleted(subscriptionId: string, signal?: AbortSignal): AsyncIterable<string> {
        for await (const account of clientOf(subscriptionId).deletedAccounts.list(toAbortOption(signal))) {
          yield account.storageAccountResourceId ?? account.id ?? 'An account without an id';
        }
      },
    },
  };
}

import type { TokenCredential } from '@azure/identity';
import type { Cloud } from '../azure/cloud.ts';
import type { ResourceId } from '../azure/resource-id.ts';
import { aborting, storageManagement } from '../azure/resource-manager.ts';

/** Blob containers through Azure Resource Manager, which answers whatever the state of the account's key. */
export interface BlobContainers {
  /**
   * Names of the containers whose blobs are under the key of the account itself, unless somebody has written them into a scope
   * of their own. Errors are the SDK's: read them with `describeFailure`.
   */
  list(account: ResourceId, signal?: AbortSignal): AsyncIterable<string>;
}

/** Of a container, or a blob, that has no encryption scope (Storage, "Create and manage encryption scopes"). */
export const ACCOUNT_KEY = '$account-encryption-key';

export function createBlobContainers(credential: TokenCredential, cloud: Cloud): BlobContainers {
  const clientOf = storageManagement(credential, cloud);
  return {
    async *list(id, signal) {
      const { blobContainers } = clientOf(id.subscriptionId);
      for await (const container of blobContainers.list(id.resourceGroup, id.name, aborting(signal))) {
        const { name, deleted, defaultEncryptionScope } = container;
        if (name && !deleted && (defaultEncryptionScope ?? ACCOUNT_KEY) === ACCOUNT_KEY) yield name;
      }
    },
  };
}

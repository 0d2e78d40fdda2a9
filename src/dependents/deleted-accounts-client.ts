import type { DeletedAccount } from '@azure/arm-storage';
import type { TokenCredential } from '@azure/identity';
import type { Cloud } from '../azure/cloud.ts';
import type { CallLimits } from '../azure/limits.ts';
import { aborting, storageManagement } from '../azure/resource-manager.ts';

/** Storage accounts that were deleted and can be recovered, for 14 days. Which key they need is not told. */
export interface DeletedAccounts {
  /** ARM ids that they had. Errors are the SDK's: read them with `describeFailure`. */
  deleted(subscriptionId: string, signal?: AbortSignal): AsyncIterable<string>;
}

export function createDeletedAccounts(credential: TokenCredential, cloud: Cloud, limits?: CallLimits): DeletedAccounts {
  const clientOf = storageManagement(credential, cloud, limits);
  return {
    async *deleted(subscriptionId, signal) {
      for await (const account of clientOf(subscriptionId).deletedAccounts.list(aborting(signal))) {
        yield idOf(account);
      }
    },
  };
}

function idOf({ storageAccountResourceId, id }: DeletedAccount): string {
  return storageAccountResourceId ?? id ?? 'An account without an id';
}

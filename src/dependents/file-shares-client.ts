import type { FileShareItem } from '@azure/arm-storage';
import type { TokenCredential } from '@azure/identity';
import type { Cloud } from '../azure/cloud.ts';
import type { CallLimits } from '../azure/limits.ts';
import type { ResourceId } from '../azure/resource-id.ts';
import { aborting, storageManagement } from '../azure/resource-manager.ts';

/** A file share as Azure Resource Manager shows it. */
export interface FileShare {
  readonly name: string;
  readonly protocol: 'SMB' | 'NFS';
}

/** File shares through Azure Resource Manager, which answers whatever the state of the account's key. */
export interface FileShares {
  /** Every share of an account but those that are soft-deleted. Errors are the SDK's: read them with `describeFailure`. */
  list(account: ResourceId, signal?: AbortSignal): AsyncIterable<FileShare>;
}

export function createFileShares(credential: TokenCredential, cloud: Cloud, limits?: CallLimits): FileShares {
  const clientOf = storageManagement(credential, cloud, limits);
  return {
    async *list(id, signal) {
      const { fileShares } = clientOf(id.subscriptionId);
      for await (const share of fileShares.list(id.resourceGroup, id.name, aborting(signal))) {
        const read = toFileShare(share);
        if (read) yield read;
      }
    },
  };
}

function toFileShare({ name, enabledProtocols, deleted }: FileShareItem): FileShare | undefined {
  if (!name || deleted) return undefined;
  return { name, protocol: enabledProtocols?.toUpperCase() === 'NFS' ? 'NFS' : 'SMB' };
}

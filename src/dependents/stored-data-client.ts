import type { DeletedAccount, FileShareItem } from '@azure/arm-storage';
import type { TokenCredential } from '@azure/identity';
import type { Cloud } from '../azure/cloud.ts';
import type { CallLimits } from '../azure/limits.ts';
import type { ResourceId } from '../azure/resource-id.ts';
import { aborting, storageManagement } from '../azure/resource-manager.ts';

export interface FileShare {
  readonly name: string;
  readonly protocol: 'SMB' | 'NFS';
}

/** Lists file shares through Azure Resource Manager, which works even if the account's key is unusable. */
export interface FileShares {
  /**
   * Every share of an account, except soft-deleted shares. Throws the SDK's errors: read them with `describeFailure`.
   */
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

/** Lists blob containers through Azure Resource Manager, which works even if the account's key is unusable. */
export interface BlobContainers {
  /**
   * Names of the containers that use the key of the account. A client may still write single blobs with an encryption
   * scope. Throws the SDK's errors: read them with `describeFailure`.
   */
  list(account: ResourceId, signal?: AbortSignal): AsyncIterable<string>;
}

/** Scope name of containers and blobs without an encryption scope (Storage, "Create and manage encryption scopes"). */
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

/** Lists deleted storage accounts that can be recovered, for 14 days. Azure does not return their keys. */
export interface DeletedAccounts {
  /** Former ARM ids. Throws the SDK's errors: read them with `describeFailure`. */
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

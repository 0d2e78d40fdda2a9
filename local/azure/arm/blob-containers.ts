import { asObject, asString } from '../json.ts';
import type { BlobContainer, StorageAccount } from '../world.ts';
import { type ArmRequest, type ArmRoutes, nameAt, ok } from './arm-request.ts';
import { ArmError, badRequest } from './errors.ts';
import { page } from './paging.ts';
import { requireAccount } from './storage-accounts.ts';

const type = 'Microsoft.Storage/storageAccounts/blobServices/containers';
/** Of a container that has no encryption scope (Storage, "Create and manage encryption scopes"). */
const accountKey = '$account-encryption-key';

function containerBody(account: StorageAccount, { name, defaultEncryptionScope }: BlobContainer) {
  return {
    id: `${account.id}/blobServices/default/containers/${name}`,
    name,
    type,
    properties: {
      deleted: false,
      publicAccess: 'None',
      defaultEncryptionScope: defaultEncryptionScope ?? accountKey,
      denyEncryptionScopeOverride: false,
      leaseStatus: 'Unlocked',
      leaseState: 'Available',
      hasImmutabilityPolicy: false,
      hasLegalHold: false,
    },
  };
}

/** An account for files alone has none. */
function requireBlobs(request: ArmRequest): StorageAccount {
  const account = requireAccount(request);
  if (account.kind !== 'FileStorage') return account;
  throw new ArmError(409, 'FeatureNotSupportedForAccount', 'Blob is not supported for the account.');
}

function get(request: ArmRequest): Response {
  const account = requireBlobs(request);
  const container = account.blobContainers.get(nameAt(request, 2));
  if (container) return ok(containerBody(account, container));
  throw new ArmError(404, 'ContainerNotFound', 'The specified container does not exist.');
}

function put(request: ArmRequest): Response {
  const account = requireBlobs(request);
  const name = nameAt(request, 2);
  if (!/^[a-z0-9](?:-?[a-z0-9]){2,62}$/.test(name))
    throw badRequest(`'${name}' is not a valid container name.`, 'InvalidResourceName');
  const existing = account.blobContainers.get(name);
  const scope = asString(asObject(request.body.properties)?.defaultEncryptionScope);
  const defaultEncryptionScope = scope === accountKey ? undefined : scope;
  const container = existing ?? { name, defaultEncryptionScope, blobs: new Map() };
  account.blobContainers.set(name, container);
  return ok(containerBody(account, container), existing ? 200 : 201);
}

/** The containers of a storage account, as far as ARM manages them. */
export const blobContainerRoutes: ArmRoutes = {
  'GET microsoft.storage/storageaccounts/{}/blobservices/{}/containers': (request) => {
    const account = requireBlobs(request);
    const size = Number(request.query.get('$maxpagesize') ?? 5000) || 5000;
    const byName = [...account.blobContainers.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return ok(page(request, byName, size, (one) => containerBody(account, one)));
  },
  'GET microsoft.storage/storageaccounts/{}/blobservices/{}/containers/{}': get,
  'PUT microsoft.storage/storageaccounts/{}/blobservices/{}/containers/{}': put,
  'DELETE microsoft.storage/storageaccounts/{}/blobservices/{}/containers/{}': (request) => {
    const existed = requireBlobs(request).blobContainers.delete(nameAt(request, 2));
    return new Response(null, { status: existed ? 200 : 204 });
  },
};

import { randomBytes } from 'node:crypto';
import { asObject, asString } from '../json.ts';
import { hasService } from '../storage/account-body.ts';
import type { BlobContainer, ImmutabilityPolicy, StorageAccount } from '../world.ts';
import { type ArmRequest, type ArmRoutes, nameAt, ok } from './arm-request.ts';
import { ArmError, badRequest } from './errors.ts';
import { page } from './paging.ts';
import { requireAccount } from './storage-accounts.ts';

const type = 'Microsoft.Storage/storageAccounts/blobServices/containers';
/** The default scope of a container without one (Storage, "Create and manage encryption scopes"). */
const accountKey = '$account-encryption-key';

function containerBody(account: StorageAccount, { name, defaultEncryptionScope, immutability }: BlobContainer) {
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
      hasImmutabilityPolicy: immutability !== undefined,
      hasLegalHold: false,
    },
  };
}

/** An account that has only files has no blob service (public reports: `400` for a list). */
function requireBlobs(request: ArmRequest): StorageAccount {
  const account = requireAccount(request);
  if (hasService(account, 'blob')) return account;
  throw badRequest('Blob is not supported for the account.', 'FeatureNotSupportedForAccount');
}

function requireContainer(request: ArmRequest): BlobContainer {
  const container = requireBlobs(request).blobContainers.get(nameAt(request, 2));
  if (container) return container;
  throw new ArmError(404, 'ContainerNotFound', 'The specified container does not exist.');
}

function get(request: ArmRequest): Response {
  return ok(containerBody(requireBlobs(request), requireContainer(request)));
}

function policyAnswer(request: ArmRequest, { days, allowProtectedAppendWrites, state, etag }: ImmutabilityPolicy) {
  const container = `${requireBlobs(request).id}/blobServices/default/containers/${nameAt(request, 2)}`;
  const body = {
    id: `${container}/immutabilityPolicies/default`,
    name: 'default',
    type: `${type}/immutabilityPolicies`,
    etag,
    properties: { immutabilityPeriodSinceCreationInDays: days, allowProtectedAppendWrites, state },
  };
  return ok(body, 200, { etag });
}

/** Storage, "Container-level WORM policies for immutable blob data". */
function requirePolicy(request: ArmRequest): ImmutabilityPolicy {
  const { immutability } = requireContainer(request);
  if (immutability) return immutability;
  throw new ArmError(404, 'ImmutabilityPolicyNotFound', 'The specified immutability policy does not exist.');
}

function putPolicy(request: ArmRequest): Response {
  const container = requireContainer(request);
  if (container.immutability?.state === 'Locked') {
    const message = 'Operation not allowed on immutability policy with current state.';
    throw new ArmError(409, 'ImmutabilityPolicyStateConflict', message);
  }

  const { immutabilityPeriodSinceCreationInDays: days, allowProtectedAppendWrites } =
    asObject(request.body.properties) ?? {};
  container.immutability = {
    days: Number(days),
    allowProtectedAppendWrites: allowProtectedAppendWrites === true,
    state: 'Unlocked',
    etag: newEtag(),
  };

  return policyAnswer(request, container.immutability);
}

function lockPolicy(request: ArmRequest): Response {
  const policy = requirePolicy(request);
  if (request.header('if-match') !== policy.etag) {
    throw new ArmError(412, 'PreconditionFailed', 'The condition specified by HTTP conditional header(s) is not met.');
  }
  const container = requireContainer(request);
  container.immutability = { ...policy, state: 'Locked', etag: newEtag() };
  return policyAnswer(request, container.immutability);
}

function newEtag(): string {
  return `"8${randomBytes(7).toString('hex')}"`;
}

function put(request: ArmRequest): Response {
  const account = requireBlobs(request);
  const name = nameAt(request, 2);
  if (!/^[a-z0-9](?:-?[a-z0-9]){2,62}$/.test(name)) {
    throw badRequest(`'${name}' is not a valid container name.`, 'InvalidResourceName');
  }

  const existing = account.blobContainers.get(name);
  const scope = asString(asObject(request.body.properties)?.defaultEncryptionScope);
  const defaultEncryptionScope = scope === accountKey ? undefined : scope;
  const container = existing ?? { name, defaultEncryptionScope, blobs: new Map() };

  account.blobContainers.set(name, container);

  return ok(containerBody(account, container), existing ? 200 : 201);
}

/** The containers of a storage account, as ARM manages them. */
export const blobContainerRoutes: ArmRoutes = {
  'GET microsoft.storage/storageaccounts/{}/blobservices/{}/containers': (request) => {
    const account = requireBlobs(request);
    const size = Number(request.query.get('$maxpagesize') ?? 5000) || 5000;
    const byName = [...account.blobContainers.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return ok(page(request, byName, size, (one) => containerBody(account, one)));
  },
  'GET microsoft.storage/storageaccounts/{}/blobservices/{}/containers/{}': get,
  'PUT microsoft.storage/storageaccounts/{}/blobservices/{}/containers/{}': put,
  'GET microsoft.storage/storageaccounts/{}/blobservices/{}/containers/{}/immutabilitypolicies/{}': (request) =>
    policyAnswer(request, requirePolicy(request)),
  'PUT microsoft.storage/storageaccounts/{}/blobservices/{}/containers/{}/immutabilitypolicies/{}': putPolicy,
  'POST microsoft.storage/storageaccounts/{}/blobservices/{}/containers/{}/immutabilitypolicies/{}/lock': lockPolicy,
  'DELETE microsoft.storage/storageaccounts/{}/blobservices/{}/containers/{}': (request) => {
    const existed = requireBlobs(request).blobContainers.delete(nameAt(request, 2));
    return new Response(null, { status: existed ? 200 : 204 });
  },
};

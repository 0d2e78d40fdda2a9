import { asObject, asString, asTags, type JsonObject } from '../json.ts';
import { logStorageUse, logUnwraps } from '../log-analytics/vault-log.ts';
import { accountBody, placeProperties } from '../storage/account-body.ts';
import { patchIdentity } from '../storage/account-identity.ts';
import { applyEncryption } from '../storage/apply-encryption.ts';
import { lookForNewVersions } from '../storage/automatic-versions.ts';
import { patchEncryption } from '../storage/encryption-patch.ts';
import { refusals } from '../storage/key-check.ts';
import { newAccount, skuOf } from '../storage/new-account.ts';
import { timestamp } from '../timestamp.ts';
import type { StorageAccount } from '../world.ts';
import { type ArmRequest, type ArmRoutes, nameAt, ok } from './arm-request.ts';
import { ArmError, badRequest, resourceNotFound } from './errors.ts';
import { inScope } from './in-scope.ts';
import { page } from './paging.ts';
import { refuseDenied } from './policy-rules.ts';

const type = 'Microsoft.Storage/storageAccounts';
/** Properties that a client may set. The service sets the others, and ignores them in a request. */
const writable = [
  'accessTier',
  'allowBlobPublicAccess',
  'allowCrossTenantReplication',
  'allowSharedKeyAccess',
  'azureFilesIdentityBasedAuthentication',
  'defaultToOAuthAuthentication',
  'dnsEndpointType',
  'isHnsEnabled',
  'keyPolicy',
  'largeFileSharesState',
  'minimumTlsVersion',
  'networkAcls',
  'publicNetworkAccess',
  'routingPreference',
  'sasPolicy',
  'supportsHttpsTrafficOnly',
];

/** The account that a request names, with its automatic key versions up to date. Throws ARM's 404. */
export function requireAccount(request: ArmRequest): StorageAccount {
  const name = nameAt(request, 0);
  const account = request.world.storageAccounts.get(name.toLowerCase());
  if (!account || !inScope(account.id, request.path.scope)) {
    throw resourceNotFound(type, name, request.path.resourceGroup);
  }
  lookForNewVersions(request.world, account);
  return account;
}

function list(request: ArmRequest): Response {
  const { world, path } = request;
  const accounts = [...world.storageAccounts.values()].filter(({ id }) => inScope(id, path.scope));
  return ok(
    page(request, accounts, world.settings.storageListPageSize, (account) => {
      lookForNewVersions(world, account);
      return accountBody(account);
    }),
  );
}

function create(request: ArmRequest): Response {
  const { world, body, path } = request;
  const name = nameAt(request, 0);

  checkName(name);

  const existing = world.storageAccounts.get(name);
  if (existing) {
    if (!inScope(existing.id, path.scope)) {
      throw new ArmError(409, 'StorageAccountAlreadyTaken', `The storage account named ${name} is already taken.`);
    }

    refuseOtherLocation(existing, body);
    return update(request); // a PUT on an existing account changes what it names
  }

  const location = asString(body.location)?.toLowerCase().replaceAll(' ', '');
  if (!location) throw badRequest("The required property 'location' is missing from the request.", 'LocationRequired');

  const skuName = asString(asObject(body.sku)?.name);

  checkValues(body);

  if (!skuName) throw badRequest("The required property 'sku' is missing from the request.", 'MissingRequiredProperty');

  const kind = asString(body.kind) ?? 'Storage';
  const properties = asObject(body.properties) ?? {};
  const id = `${path.scope}/providers/${type}/${name}`;
  const account = newAccount(
    {
      id,
      name,
      location,
      kind,
      skuName,
      tags: asTags(body.tags) ?? {},
      properties: pick(properties),
      apiVersion: request.apiVersion,
    },
    world.clock.nowMs(),
  );

  account.identity = patchIdentity(world, undefined, body.identity, mayAssign(request));

  const encryption = asObject(properties.encryption);
  if (encryption) {
    const next = nextEncryption(request, account, encryption, true);
    if (next.keyvaultproperties && !next.identity?.userAssignedIdentity) {
      // A system-assigned identity, and its role, can exist only after the account does.
      throw refusals.noIdentity('A new account needs a user assigned identity.');
    }

    account.encryption = applyEncryption(world, account.encryption, next, {
      identity: account.identity,
      askedForVersion: true,
    });
    logStorageUse(world, account, 'KeyWrap', account.encryption.keyvaultproperties?.currentVersionedKeyIdentifier);
  }

  refuseDenied(world, accountBody(account));
  world.storageAccounts.set(name, account);

  if (world.settings.instantProvisioning) return ok(accountBody(account));

  const operation = request.operations.start(0, () => accountBody(account));
  const at = `https://management.azure.com/subscriptions/${path.subscriptionId}/providers/Microsoft.Storage/locations/${location}/asyncoperations/${operation}?monitor=true&api-version=${request.apiVersion}`;

  return new Response(null, {
    status: 202,
    headers: { location: at, 'retry-after': '1', 'content-type': 'text/plain; charset=utf-8' },
  });
}

function update(request: ArmRequest): Response {
  const { world, body } = request;
  const account = requireAccount(request);

  checkValues(body);

  const properties = asObject(body.properties) ?? {};
  const kind = asString(body.kind);
  if (kind && kind !== account.kind && kind !== 'StorageV2' && kind !== 'Storage') {
    throw badRequest(`The kind of the account cannot be changed to '${kind}'.`, 'AccountKindCannotBeChanged');
  }

  // Compute everything before any change, since a refused request changes nothing.
  const identity = patchIdentity(world, account.identity, body.identity, mayAssign(request));
  const patch = asObject(properties.encryption);
  const encryption = patch
    ? applyEncryption(world, account.encryption, nextEncryption(request, account, patch, false), {
        identity,
        askedForVersion: asObject(patch.keyvaultproperties)?.keyversion !== undefined,
      })
    : account.encryption;

  const sku = asString(asObject(body.sku)?.name);
  const next: StorageAccount = {
    ...account,
    identity,
    encryption,
    tags: asTags(body.tags) ?? account.tags,
    sku: sku ? skuOf(sku) : account.sku,
    kind: kind === 'StorageV2' ? kind : account.kind,
    properties: { ...account.properties, ...pick(properties) },
  };

  // Azure Policy evaluates the account as it would be after the request.
  refuseDenied(world, accountBody(next));

  const looked =
    encryption.keyvaultproperties?.lastKeyRotationTimestamp !==
    account.encryption.keyvaultproperties?.lastKeyRotationTimestamp;
  if (looked) account.lastKeyCheckMs = world.clock.nowMs();
  if (looked) logUnwraps(world, account);

  account.identity = identity;
  account.encryption = encryption;
  if (looked) logStorageUse(world, account, 'KeyWrap', encryption.keyvaultproperties?.currentVersionedKeyIdentifier);

  account.tags = next.tags;
  account.sku = next.sku;
  account.kind = next.kind;
  account.properties = { ...next.properties, ...placeProperties(account) };

  return ok(accountBody(account));
}

function nextEncryption(request: ArmRequest, account: StorageAccount, patch: JsonObject, creating: boolean) {
  const { world } = request;
  return patchEncryption(account.encryption, patch, {
    mode: world.settings.encryptionPatch,
    nowTimestamp: timestamp(world.clock.nowMs()),
    creating,
  });
}

function mayAssign({ authorizeLinked }: ArmRequest): (identityId: string) => void {
  return (id) => authorizeLinked('Microsoft.ManagedIdentity/userAssignedIdentities/assign/action', id);
}

function pick(properties: JsonObject): JsonObject {
  return Object.fromEntries(
    writable.filter((name) => properties[name] !== undefined).map((name) => [name, properties[name]]),
  );
}

function checkName(name: string): void {
  if (/^[a-z0-9]{3,24}$/.test(name)) return;
  throw badRequest(
    `${name} is not a valid storage account name. Storage account name must be between 3 and 24 characters in length and use numbers and lower-case letters only.`,
    'AccountNameInvalid',
  );
}

/** The values of the SDK's `KnownSkuName`. */
const SKUS = [
  ...['LRS', 'GRS', 'RAGRS', 'ZRS', 'GZRS', 'RAGZRS'].map((one) => `Standard_${one}`),
  ...['LRS', 'ZRS'].flatMap((one) => [`Premium_${one}`, `PremiumV2_${one}`]),
  ...['LRS', 'GRS', 'ZRS', 'GZRS'].map((one) => `StandardV2_${one}`),
];
const KINDS = ['Storage', 'StorageV2', 'BlobStorage', 'FileStorage', 'BlockBlobStorage'];
const TLS_VERSIONS = ['TLS1_0', 'TLS1_1', 'TLS1_2', 'TLS1_3'];

/** Refuses values that Storage does not know (code and message as in azurerm#16374, which names another field). */
function checkValues({ sku, kind, properties }: JsonObject): void {
  const asked = [
    ['sku.name', asObject(sku)?.name, SKUS],
    ['kind', kind, KINDS],
    ['properties.minimumTlsVersion', asObject(properties)?.minimumTlsVersion, TLS_VERSIONS],
  ] as const;
  for (const [name, value, known] of asked) {
    if (value === undefined || value === null || known.some((one) => one === value)) continue;
    throw badRequest(`Values for request parameters are invalid: ${name}.`, 'InvalidValuesForRequestParameters');
  }
}

function refuseOtherLocation({ id, name, location }: StorageAccount, body: JsonObject): void {
  const asked = asString(body.location)?.toLowerCase().replaceAll(' ', '') ?? location;
  if (asked === location) return;
  throw new ArmError(
    409,
    'InvalidResourceLocation',
    `The resource '${name}' already exists in location '${location}' in resource group '${id.split('/')[4]}'. A resource with the same name cannot be created in location '${asked}'. Please select a new resource name.`,
  );
}

function checkNameAvailability({ world, body }: ArmRequest): Response {
  const name = asString(body.name) ?? '';
  try {
    checkName(name);
  } catch (error) {
    return ok({ nameAvailable: false, reason: 'AccountNameInvalid', message: (error as Error).message });
  }

  return world.storageAccounts.has(name)
    ? ok({
        nameAvailable: false,
        reason: 'AlreadyExists',
        message: `The storage account named ${name} is already taken.`,
      })
    : ok({ nameAvailable: true });
}

function listKeys(request: ArmRequest): Response {
  const account = requireAccount(request);

  if (!request.world.settings.listKeysAllowed) {
    throw new ArmError(
      409,
      'ScopeLocked',
      `The scope '${account.id}' cannot perform write operation because following scope(s) are locked. Please remove the lock and try again.`,
    );
  }

  const value = (text: string) => Buffer.from(`${account.name}/${text}`.padEnd(64, '.')).toString('base64');
  const creation = asObject(account.properties.keyCreationTime) ?? {};

  return ok({
    keys: ['key1', 'key2'].map((keyName) => ({
      creationTime: creation[keyName],
      keyName,
      value: value(keyName),
      permissions: 'FULL',
    })),
  });
}

/** A deleted account can be recovered for 14 days (Azure Storage, "Recover a deleted storage account"). */
const RECOVERABLE_MS = 14 * 24 * 3_600_000;

function listDeleted(request: ArmRequest): Response {
  const { world, path } = request;
  const since = world.clock.nowMs() - RECOVERABLE_MS;
  const found = world.deletedAccounts.filter(
    ({ account, deletedMs }) =>
      deletedMs >= since && inScope(account.id, path.scope) && !world.storageAccounts.has(account.name),
  );

  return ok(
    page(request, found, 1000, ({ account, deletedMs }) => ({
      id: `${path.scope}/providers/Microsoft.Storage/locations/${account.location}/deletedAccounts/${account.name}`,
      name: account.name,
      type: 'Microsoft.Storage/deletedAccounts',
      properties: {
        storageAccountResourceId: account.id,
        location: account.location,
        restoreReference: `${account.name}|${new Date(deletedMs).toISOString()}`,
        creationTime: account.properties.creationTime,
        deletionTime: new Date(deletedMs).toISOString(),
      },
    })),
  );
}

/** Storage accounts of the Storage resource provider. */
export const storageAccountRoutes: ArmRoutes = {
  'GET microsoft.storage/storageaccounts': list,
  'GET microsoft.storage/storageaccounts/{}': (request) => ok(accountBody(requireAccount(request))),
  'PUT microsoft.storage/storageaccounts/{}': create,
  'PATCH microsoft.storage/storageaccounts/{}': update,
  'DELETE microsoft.storage/storageaccounts/{}': ({ world, path }) => {
    const name = path.names[0]?.toLowerCase() ?? '';
    const account = world.storageAccounts.get(name);
    if (!account || !inScope(account.id, path.scope)) return new Response(null, { status: 204 });
    logUnwraps(world, account);
    world.storageAccounts.delete(name);
    world.deletedAccounts.push({ account, deletedMs: world.clock.nowMs() });
    return new Response(null, { status: 200 });
  },
  'GET microsoft.storage/deletedaccounts': listDeleted,
  'POST microsoft.storage/storageaccounts/{}/listkeys': listKeys,
  'POST microsoft.storage/checknameavailability': checkNameAvailability,
  'GET microsoft.storage/locations/{}/asyncoperations/{}': (request) => {
    const operation = request.operations.poll(nameAt(request, 1));
    if (!operation) throw new ArmError(404, 'ResourceNotFound', 'The operation was not found.');
    return operation.done ? ok(operation.result) : new Response(null, { status: 202, headers: { 'retry-after': '1' } });
  },
};

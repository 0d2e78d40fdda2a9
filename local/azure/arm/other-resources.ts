import { asObject, asString, asTags } from '../json.ts';
import type { OtherResource } from '../world.ts';
import { type ArmRequest, type ArmRoutes, nameAt, ok } from './arm-request.ts';
import { badRequest, resourceNotFound } from './errors.ts';

/** Types of other services that can use a key. Their properties are stored and shown as written. */
export const KEY_USER_TYPES = [
  'Microsoft.AppConfiguration/configurationStores',
  'Microsoft.Automation/automationAccounts',
  'Microsoft.Batch/batchAccounts',
  'Microsoft.Cache/redisEnterprise',
  'Microsoft.CognitiveServices/accounts',
  'Microsoft.Compute/diskEncryptionSets',
  'Microsoft.ContainerRegistry/registries',
  'Microsoft.ContainerService/managedClusters',
  'Microsoft.DataFactory/factories',
  'Microsoft.DataProtection/backupVaults',
  'Microsoft.Databricks/workspaces',
  'Microsoft.DBforMySQL/flexibleServers',
  'Microsoft.DBforPostgreSQL/flexibleServers',
  'Microsoft.EventHub/namespaces',
  'Microsoft.Kusto/clusters',
  'Microsoft.MachineLearningServices/workspaces',
  'Microsoft.OperationalInsights/clusters',
  'Microsoft.RecoveryServices/vaults',
  'Microsoft.ServiceBus/namespaces',
  'Microsoft.Sql/managedInstances',
  'Microsoft.Sql/servers',
] as const;
/** A resource in a network security perimeter. */
const ASSOCIATION = 'Microsoft.Network/networkSecurityPerimeters/resourceAssociations';
/** A child resource, whose changes make no event that the app reads. */
const VOLUME_GROUP = 'Microsoft.ElasticSan/elasticSans/volumeGroups';
/** Holds the key of a SQL server. */
const PROTECTOR = 'encryptionProtector';

function find({ world, path }: ArmRequest): OtherResource | undefined {
  return world.otherResources.get(path.id.toLowerCase());
}

function required(request: ArmRequest, type: string): OtherResource {
  const found = find(request);
  if (!found) throw resourceNotFound(type, nameAt(request, 0), request.path.resourceGroup);
  return found;
}

function bodyOf(resource: OtherResource): Record<string, unknown> {
  return { ...resource, name: resource.id.slice(resource.id.lastIndexOf('/') + 1) };
}

function put(request: ArmRequest, type: string): Response {
  const { world, path, body } = request;
  const existing = find(request);
  const location = asString(body.location) ?? existing?.location ?? (type === ASSOCIATION ? 'westeurope' : undefined);
  if (!location) throw badRequest("The required property 'location' is missing from the request.", 'LocationRequired');
  const tags = asTags(body.tags) ?? existing?.tags;
  const properties = asObject(body.properties) ?? {};
  const resource = { id: existing?.id ?? path.id, type, location, properties, ...(tags ? { tags } : {}) };
  world.otherResources.set(path.id.toLowerCase(), resource);
  return ok(bodyOf(resource), existing ? 200 : 201);
}

function patch(request: ArmRequest, type: string): Response {
  const resource = required(request, type);
  const tags = asTags(request.body.tags);
  const apply = (): Record<string, unknown> => {
    resource.properties = { ...resource.properties, ...asObject(request.body.properties) };
    if (tags) resource.tags = tags;
    return bodyOf(resource);
  };

  const header = ASYNCHRONOUS[type];
  if (header === undefined || !request.body.properties) return ok(apply());

  const { path, apiVersion, operations, world } = request;
  const provider = type.split('/')[0] ?? '';
  const operation = operations.start(world.settings.instantProvisioning ? 0 : PATCH_MS, once(apply));
  const kind = header === 'location' ? 'operationResults' : 'operationsStatus';
  const at = `https://management.azure.com/subscriptions/${path.subscriptionId}/providers/${provider}/locations/${resource.location}/${kind}/${operation}?api-version=${apiVersion}`;

  return ok({}, 202, { [header]: at, 'retry-after': '5' });
}

/** Time that such a change takes. */
const PATCH_MS = 8_000;

/** Types whose PATCH is an operation to poll, with the header that names it. */
const ASYNCHRONOUS: Readonly<Record<string, 'azure-asyncoperation' | 'location'>> = {
  'Microsoft.Compute/diskEncryptionSets': 'location',
  'Microsoft.DataProtection/backupVaults': 'azure-asyncoperation',
  'Microsoft.DBforPostgreSQL/flexibleServers': 'azure-asyncoperation',
  'Microsoft.ElasticSan/elasticSans/volumeGroups': 'location',
  'Microsoft.Kusto/clusters': 'azure-asyncoperation',
  'Microsoft.OperationalInsights/clusters': 'location',
};

/** Runs a change with the first poll after its end, and returns the same answer for each later one. */
function once<T>(run: () => T): () => T {
  let result: { readonly value: T } | undefined;
  return () => {
    result ??= { value: run() };
    return result.value;
  };
}

function operationStatus(request: ArmRequest): Response {
  const operation = request.operations.poll(nameAt(request, 1));
  if (!operation) throw resourceNotFound('operations', nameAt(request, 1), '');
  return ok({ status: operation.done ? 'Succeeded' : 'InProgress' });
}

function operationResult(request: ArmRequest): Response {
  const operation = request.operations.poll(nameAt(request, 1));
  if (!operation) throw resourceNotFound('operations', nameAt(request, 1), '');
  return operation.done ? ok(operation.result) : ok({}, 202, { 'retry-after': '5' });
}

function remove(request: ArmRequest): Response {
  return new Response(null, { status: request.world.otherResources.delete(request.path.id.toLowerCase()) ? 200 : 204 });
}

/** The server shows the key that its protector names. */
function putProtector(request: ArmRequest, type: string): Response {
  const { world, path, body } = request;
  const server = world.otherResources.get(path.id.split('/').slice(0, 9).join('/').toLowerCase());
  if (!server) throw resourceNotFound(type, nameAt(request, 0), path.resourceGroup);
  const properties = asObject(body.properties) ?? {};
  // Its name consists of vault, key and version ("Server Keys").
  const [vault, key, version] = (asString(properties.serverKeyName) ?? '').split('_');
  if (!vault || !key || !version) throw badRequest('The serverKeyName is not valid.', 'InvalidServerKeyName');
  server.properties = { ...server.properties, keyId: `https://${vault}.vault.azure.net/keys/${key}/${version}` };
  return ok({ id: path.id, name: 'current', type: `${type}/${PROTECTOR}`, properties });
}

const resourceRoutes: ArmRoutes = Object.fromEntries(
  [...KEY_USER_TYPES, VOLUME_GROUP, ASSOCIATION].flatMap((type) => {
    const pattern = `${type.toLowerCase().replace(/^([^/]+\/[^/]+)\//, '$1/{}/')}/{}`;

    return [
      [`GET ${pattern}`, (request: ArmRequest) => ok(bodyOf(required(request, type)))],
      [`PUT ${pattern}`, (request: ArmRequest) => put(request, type)],
      [`PATCH ${pattern}`, (request: ArmRequest) => patch(request, type)],
      [`DELETE ${pattern}`, remove],
      ...(type.startsWith('Microsoft.Sql/')
        ? [[`PUT ${pattern}/${PROTECTOR.toLowerCase()}/{}`, (request: ArmRequest) => putProtector(request, type)]]
        : []),
    ];
  }),
);

const operationRoutes: ArmRoutes = Object.fromEntries(
  [...new Set(Object.keys(ASYNCHRONOUS).map((type) => (type.split('/')[0] ?? '').toLowerCase()))].flatMap(
    (provider) => [
      [`GET ${provider}/locations/{}/operationsstatus/{}`, operationStatus],
      [`GET ${provider}/locations/{}/operationresults/{}`, operationResult],
    ],
  ),
);

export const otherResourceRoutes: ArmRoutes = { ...resourceRoutes, ...operationRoutes };

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
  resource.properties = { ...resource.properties, ...asObject(request.body.properties) };
  const tags = asTags(request.body.tags);
  if (tags) resource.tags = tags;
  return ok(bodyOf(resource));
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

export const otherResourceRoutes: ArmRoutes = Object.fromEntries(
  [...KEY_USER_TYPES, ASSOCIATION].flatMap((type) => {
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

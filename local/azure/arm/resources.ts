import { asObject, asString, asTags } from '../json.ts';
import { isAllowed } from '../roles.ts';
import type { World } from '../world.ts';
import { type ArmRequest, type ArmRoutes, ok } from './arm-request.ts';
import { ArmError, badRequest } from './errors.ts';
import { inScope } from './in-scope.ts';
import { MANAGED_HSM_TYPE } from './managed-hsms.ts';
import { page } from './paging.ts';

interface Resource {
  readonly id: string;
  readonly name: string;
  readonly location: string;
  tags: Record<string, string>;
}

/** Every tracked resource with its type. */
function resources(world: World): { type: string; resource: Resource }[] {
  const of = (type: string, all: Iterable<Resource>) => [...all].map((resource) => ({ type, resource }));
  return [
    ...of('Microsoft.KeyVault/vaults', world.vaults.values()),
    ...of(MANAGED_HSM_TYPE, world.managedHsms.values()),
    ...of('Microsoft.Storage/storageAccounts', world.storageAccounts.values()),
    ...of('Microsoft.ManagedIdentity/userAssignedIdentities', world.identities.values()),
    ...of('Microsoft.EventGrid/systemTopics', world.systemTopics.values()),
    ...of('Microsoft.EventGrid/topics', world.customTopics.values()),
  ];
}

/** The generic list, with the filters az sends: by type, name, resource group and tag. */
function list(request: ArmRequest): Response {
  const filter = request.query.get('$filter') ?? '';
  const value = (field: string) => new RegExp(`${field} eq '([^']*)'`, 'i').exec(filter)?.[1]?.toLowerCase();
  const [type, name, group] = ['resourceType', 'name', 'resourceGroup'].map(value);
  const tagName = value('tagName');
  const tagValue = /tagValue eq '([^']*)'/i.exec(filter)?.[1];
  const scope = request.path.scope.replace(/\/resources$/i, '');
  const found = resources(request.world).filter(
    ({ type: its, resource }) =>
      inScope(resource.id, scope) &&
      maySee(request, its, resource) &&
      (type === undefined || its.toLowerCase() === type) &&
      // `tagName eq` contains `name eq`: only a whole word counts.
      (name === undefined || !/(^|\s|\()name eq/i.test(filter) || resource.name.toLowerCase() === name) &&
      (group === undefined || resource.id.toLowerCase().includes(`/resourcegroups/${group}/`)) &&
      (tagName === undefined ||
        Object.entries(resource.tags).some(
          ([key, held]) => key.toLowerCase() === tagName && (tagValue === undefined || held === tagValue),
        )),
  );

  return ok(
    page(request, found, Number(request.query.get('$top') ?? 1000) || 1000, ({ type: its, resource }) => ({
      id: resource.id,
      name: resource.name,
      type: its,
      location: resource.location,
      tags: resource.tags,
    })),
  );
}

/** The list has the resources that the caller may read, and silently omits the others. */
function maySee({ world, caller }: ArmRequest, type: string, { id }: Resource): boolean {
  return !world.settings.enforceRoles || isAllowed(world, caller.principal.objectId, id, `${type}/read`, 'action');
}

function tagged(request: ArmRequest): { tags: Record<string, string> } {
  const { world, path } = request;
  const id = path.scope.toLowerCase();
  const found =
    world.resourceGroups.get(id) ?? resources(world).find(({ resource }) => resource.id.toLowerCase() === id)?.resource;
  if (!found) throw new ArmError(404, 'ResourceNotFound', `The Resource '${path.scope}' was not found.`);
  return found;
}

function tagsBody(request: ArmRequest, tags: Record<string, string>): Response {
  return ok({ id: request.path.id, name: 'default', type: 'Microsoft.Resources/tags', properties: { tags } });
}

function patchTags(request: ArmRequest): Response {
  const target = tagged(request);
  const tags = asTags(asObject(request.body.properties)?.tags) ?? {};
  const operation = asString(request.body.operation);
  if (operation === 'Merge') {
    target.tags = { ...target.tags, ...tags };
  } else if (operation === 'Replace') {
    target.tags = tags;
  } else if (operation === 'Delete') {
    target.tags = Object.fromEntries(Object.entries(target.tags).filter(([name, value]) => tags[name] !== value));
  } else {
    throw badRequest(`'${operation ?? ''}' is not Merge, Replace or Delete.`, 'InvalidTagsPatchOperation');
  }

  if (Object.keys(target.tags).length > 50) throw badRequest('A resource can have at most 50 tags.', 'TooManyTags');

  return tagsBody(request, target.tags);
}

/** Resources of any kind, and their tags. */
export const resourceRoutes: ArmRoutes = {
  'GET subscriptions/{}/resources': list,
  'GET subscriptions/{}/resourcegroups/{}/resources': list,
  'GET microsoft.resources/tags/{}': (request) => tagsBody(request, tagged(request).tags),
  'PATCH microsoft.resources/tags/{}': patchTags,
  'PUT microsoft.resources/tags/{}': (request) => {
    const target = tagged(request);
    target.tags = asTags(asObject(request.body.properties)?.tags) ?? {};
    return tagsBody(request, target.tags);
  },
};

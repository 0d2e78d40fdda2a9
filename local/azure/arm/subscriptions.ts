import { asString, asTags } from '../json.ts';
import { scopeCovers } from '../roles.ts';
import type { ResourceGroup, Subscription, World } from '../world.ts';
import { type ArmRequest, type ArmRoutes, nameAt, ok } from './arm-request.ts';
import { ArmError, badRequest } from './errors.ts';
import { inScope } from './in-scope.ts';
import { page } from './paging.ts';

function subscriptionBody(world: World, { subscriptionId, displayName, state }: Subscription): Record<string, unknown> {
  return {
    id: `/subscriptions/${subscriptionId}`,
    authorizationSource: 'RoleBased',
    managedByTenants: [],
    subscriptionId,
    tenantId: world.tenantId,
    displayName,
    state,
    subscriptionPolicies: {
      locationPlacementId: 'Public_2014-09-01',
      quotaId: 'PayAsYouGo_2014-09-01',
      spendingLimit: 'Off',
    },
  };
}

/** Subscriptions in which the caller has a role, at the subscription or below it. */
export function visibleSubscriptions({ world, caller: { principal } }: ArmRequest): Subscription[] {
  const all = [...world.subscriptions.values()];
  if (!world.settings.enforceRoles) return all;

  const scopes = [...world.roleAssignments.values()]
    .filter(({ principalId }) => principalId === principal.objectId)
    .map(({ scope }) => scope);

  return all.filter(({ subscriptionId }) =>
    scopes.some((scope) => {
      const subscription = `/subscriptions/${subscriptionId}`;
      return scopeCovers(scope, subscription) || inScope(scope, subscription);
    }),
  );
}

function groupBody({ id, name, location, tags }: ResourceGroup): Record<string, unknown> {
  return {
    id,
    name,
    type: 'Microsoft.Resources/resourceGroups',
    location,
    tags,
    properties: { provisioningState: 'Succeeded' },
  };
}

function requireGroup(request: ArmRequest): ResourceGroup {
  const group = request.world.resourceGroups.get(request.path.id.toLowerCase());
  if (group) return group;
  throw new ArmError(404, 'ResourceGroupNotFound', `Resource group '${nameAt(request, 1)}' could not be found.`, {
    'x-ms-failure-cause': 'gateway',
  });
}

function putGroup(request: ArmRequest): Response {
  const { world, path, body } = request;
  const name = nameAt(request, 1);
  if (!/^[-\p{L}\p{N}_.()]{1,90}$/u.test(name) || name.endsWith('.')) {
    throw badRequest(`The resource group name '${name}' is invalid.`, 'InvalidResourceGroupName');
  }

  const existing = world.resourceGroups.get(path.id.toLowerCase());
  const location = (asString(body.location) ?? existing?.location)?.toLowerCase().replaceAll(' ', '');
  if (!location) throw badRequest('The location property is required for this definition.', 'LocationRequired');

  if (existing && existing.location !== location) {
    throw new ArmError(
      409,
      'InvalidResourceGroupLocation',
      `Invalid resource group location '${location}'. The Resource group already exists in location '${existing.location}'.`,
    );
  }

  const group: ResourceGroup = existing ?? {
    id: `/subscriptions/${path.subscriptionId}/resourceGroups/${name}`,
    name,
    location,
    tags: {},
  };

  group.tags = asTags(body.tags) ?? group.tags;
  world.resourceGroups.set(path.id.toLowerCase(), group);

  return ok(groupBody(group), existing ? 200 : 201);
}

/**
 * Deletes the group with its resources. Vaults have to be deleted first, because they are soft-deleted outside the
 * group.
 */
function deleteGroup(request: ArmRequest): Response {
  const { world } = request;
  const group = requireGroup(request);
  const vault = [...world.vaults.values()].find(({ id }) => inScope(id, group.id));
  if (vault) {
    throw new ArmError(
      409,
      'ResourceGroupDeletionBlocked',
      `Deletion of resource group '${group.name}' failed as the vault '${vault.name}' is still in it. Delete the vault first.`,
    );
  }

  for (const map of [world.identities, world.roleAssignments, world.eventSubscriptions, world.systemTopics] as Map<
    string,
    { id: string }
  >[]) {
    for (const [key, { id }] of map) {
      if (inScope(id, group.id)) map.delete(key);
    }
  }

  for (const [name, { id }] of world.storageAccounts) {
    if (inScope(id, group.id)) world.storageAccounts.delete(name);
  }

  world.resourceGroups.delete(group.id.toLowerCase());

  return new Response(null, { status: 200 });
}

/** Subscriptions, tenants and resource groups. */
export const subscriptionRoutes: ArmRoutes = {
  'GET subscriptions': (request) => {
    const value = visibleSubscriptions(request).map((subscription) => subscriptionBody(request.world, subscription));
    return ok({ value, count: { type: 'Total', value: value.length } });
  },
  'GET subscriptions/{}': (request) => {
    const subscription = request.world.subscriptions.get(nameAt(request, 0).toLowerCase());
    if (!subscription) {
      throw new ArmError(404, 'SubscriptionNotFound', `The subscription '${nameAt(request, 0)}' could not be found.`);
    }
    return ok(subscriptionBody(request.world, subscription));
  },
  'GET tenants': ({ world }) =>
    ok({
      value: [
        {
          id: `/tenants/${world.tenantId}`,
          tenantId: world.tenantId,
          tenantCategory: 'Home',
          displayName: 'Local',
          defaultDomain: 'local.onmicrosoft.com',
          domains: ['local.onmicrosoft.com'],
        },
      ],
    }),
  'GET subscriptions/{}/resourcegroups': (request) => {
    const groups = [...request.world.resourceGroups.values()].filter(({ id }) =>
      inScope(id, `/subscriptions/${request.path.subscriptionId}`),
    );
    return ok(page(request, groups, 1000, groupBody));
  },
  'GET subscriptions/{}/resourcegroups/{}': (request) => ok(groupBody(requireGroup(request))),
  'HEAD subscriptions/{}/resourcegroups/{}': ({ world, path }) =>
    new Response(null, { status: world.resourceGroups.has(path.id.toLowerCase()) ? 204 : 404 }),
  'PUT subscriptions/{}/resourcegroups/{}': putGroup,
  'PATCH subscriptions/{}/resourcegroups/{}': (request) => {
    const group = requireGroup(request);
    group.tags = asTags(request.body.tags) ?? group.tags;
    return ok(groupBody(group));
  },
  'DELETE subscriptions/{}/resourcegroups/{}': deleteGroup,
  'GET subscriptions/{}/providers/{}': (request) => {
    const namespace = nameAt(request, 1);
    const { unregistered = [] } = request.world.subscriptions.get(nameAt(request, 0).toLowerCase()) ?? {};
    return ok({
      id: request.path.id,
      namespace,
      registrationPolicy: 'RegistrationRequired',
      registrationState: unregistered.includes(namespace.toLowerCase()) ? 'NotRegistered' : 'Registered',
      resourceTypes: [],
    });
  },
};

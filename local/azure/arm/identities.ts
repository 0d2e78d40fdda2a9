import { randomUUID } from 'node:crypto';
import { asString, asTags } from '../json.ts';
import type { UserAssignedIdentity, World } from '../world.ts';
import { type ArmRequest, type ArmRoutes, nameAt, ok } from './arm-request.ts';
import { badRequest, resourceNotFound } from './errors.ts';
import { inScope } from './in-scope.ts';
import { page } from './paging.ts';

const type = 'Microsoft.ManagedIdentity/userAssignedIdentities';

function identityBody(world: World, identity: UserAssignedIdentity): Record<string, unknown> {
  const { id, name, location, tags, principalId, clientId } = identity;
  return {
    // This provider writes its ids with a lower-case "resourcegroups" (seen in recordings).
    id: id.replace('/resourceGroups/', '/resourcegroups/'),
    name,
    type,
    location,
    tags,
    properties: { tenantId: world.tenantId, principalId, clientId },
  };
}

function find({ world, path }: ArmRequest): UserAssignedIdentity | undefined {
  return world.identities.get(path.id.toLowerCase());
}

function require(request: ArmRequest): UserAssignedIdentity {
  const identity = find(request);
  if (!identity) throw resourceNotFound(type, nameAt(request, 0), request.path.resourceGroup);
  return identity;
}

function put(request: ArmRequest): Response {
  const { world, body, path } = request;
  const existing = find(request);
  const location = asString(body.location)?.toLowerCase().replaceAll(' ', '') ?? existing?.location;
  if (!location) throw badRequest("The required property 'location' is missing from the request.", 'LocationRequired');
  const identity: UserAssignedIdentity = existing ?? {
    id: `${path.scope}/providers/${type}/${nameAt(request, 0)}`,
    name: nameAt(request, 0),
    location,
    tags: {},
    principalId: randomUUID(),
    clientId: randomUUID(),
  };
  identity.tags = asTags(body.tags) ?? identity.tags;
  world.identities.set(identity.id.toLowerCase(), identity);
  const shown = identityBody(world, identity);
  return ok(shown, existing ? 200 : 201, existing ? {} : { location: String(shown.id) });
}

/** User-assigned managed identities. */
export const identityRoutes: ArmRoutes = {
  'GET microsoft.managedidentity/userassignedidentities': (request) => {
    const identities = [...request.world.identities.values()].filter(({ id }) => inScope(id, request.path.scope));
    return ok(page(request, identities, 1000, (identity) => identityBody(request.world, identity)));
  },
  'GET microsoft.managedidentity/userassignedidentities/{}': (request) =>
    ok(identityBody(request.world, require(request))),
  'PUT microsoft.managedidentity/userassignedidentities/{}': put,
  'PATCH microsoft.managedidentity/userassignedidentities/{}': (request) => {
    const identity = require(request);
    identity.tags = asTags(request.body.tags) ?? identity.tags;
    return ok(identityBody(request.world, identity));
  },
  'DELETE microsoft.managedidentity/userassignedidentities/{}': ({ world, path }) =>
    new Response(null, { status: world.identities.delete(path.id.toLowerCase()) ? 200 : 204 }),
};

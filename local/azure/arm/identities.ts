import { randomUUID } from 'node:crypto';
import { asObject, asString, asTags } from '../json.ts';
import type { ExtensionResource, UserAssignedIdentity, World } from '../world.ts';
import { type ArmRequest, type ArmRoutes, nameAt, ok } from './arm-request.ts';
import { ArmError, badRequest, resourceNotFound } from './errors.ts';
import { inScope } from './in-scope.ts';
import { page } from './paging.ts';

const type = 'Microsoft.ManagedIdentity/userAssignedIdentities';
/** Trust in another issuer's tokens. The local Azure stores and shows it; no sign-in uses it. */
const credentialType = `${type}/federatedIdentityCredentials`;
const credentials = 'microsoft.managedidentity/userassignedidentities/{}/federatedidentitycredentials';

/** This provider writes its ids with a lower-case "resourcegroups" (seen in recordings). */
function shownId(id: string): string {
  return id.replace('/resourceGroups/', '/resourcegroups/');
}

function identityBody(world: World, identity: UserAssignedIdentity): Record<string, unknown> {
  const { id, name, location, tags, principalId, clientId } = identity;
  return {
    id: shownId(id),
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

function credentialBody({ id, properties }: ExtensionResource): Record<string, unknown> {
  return { id: shownId(id), name: id.slice(id.lastIndexOf('/') + 1), type: credentialType, properties };
}

function requireIdentityOf(request: ArmRequest): string {
  const name = nameAt(request, 0);
  const id = `${request.path.scope}/providers/${type}/${name}`;
  if (!request.world.identities.has(id.toLowerCase())) throw resourceNotFound(type, name, request.path.resourceGroup);
  return id;
}

/** Azure takes one audience at most ("Important considerations and restrictions for federated identity credentials"). */
function putCredential(request: ArmRequest): Response {
  const { world, path } = request;
  const scope = requireIdentityOf(request);
  const { issuer, subject, audiences } = asObject(request.body.properties) ?? {};
  if (!asString(issuer) || !asString(subject) || !Array.isArray(audiences) || audiences.length !== 1) {
    throw badRequest('A federated credential needs issuer, subject and one audience.');
  }

  const existed = world.extensions.has(path.id.toLowerCase());
  const credential = { id: path.id, type: credentialType, scope, properties: { issuer, subject, audiences } };

  world.extensions.set(path.id.toLowerCase(), credential);

  const shown = credentialBody(credential);

  return ok(shown, existed ? 200 : 201, existed ? {} : { location: String(shown.id) });
}

function credentialsOf(world: World, identityId: string): ExtensionResource[] {
  return [...world.extensions.values()].filter(
    (one) => one.type === credentialType && one.scope.toLowerCase() === identityId.toLowerCase(),
  );
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
  'DELETE microsoft.managedidentity/userassignedidentities/{}': ({ world, path }) => {
    for (const { id } of credentialsOf(world, path.id)) world.extensions.delete(id.toLowerCase());
    return new Response(null, { status: world.identities.delete(path.id.toLowerCase()) ? 200 : 204 });
  },
  [`GET ${credentials}`]: (request) =>
    ok({ value: credentialsOf(request.world, requireIdentityOf(request)).map(credentialBody) }),
  [`GET ${credentials}/{}`]: (request) => {
    requireIdentityOf(request);
    const found = request.world.extensions.get(request.path.id.toLowerCase());
    if (found) return ok(credentialBody(found));
    throw new ArmError(404, 'NotFound', `The federated credential '${nameAt(request, 1)}' was not found.`);
  },
  [`PUT ${credentials}/{}`]: putCredential,
  [`DELETE ${credentials}/{}`]: ({ world, path }) =>
    new Response(null, { status: world.extensions.delete(path.id.toLowerCase()) ? 200 : 204 }),
};

import { Hono } from 'hono';
import { CMK_API_CLIENT_ID } from '../constants.ts';
import { asArray, asObject } from '../json.ts';
import { azureError, type Service, type ServiceEnv } from '../service.ts';
import type { Principal, World } from '../world.ts';
import { everyPrincipal } from './directory.ts';
import { upnOf } from './token-authority.ts';

const context = 'https://graph.microsoft.com/v1.0/$metadata';

/** The part of Microsoft Graph that `az role assignment` and `az ad` use. */
export function createGraphService(world: World): Service {
  const app = new Hono<ServiceEnv>();

  app.use('*', async (c, next) => {
    const caller = c.get('caller');
    if (!caller) return c.json(azureError('InvalidAuthenticationToken', 'Access token is empty or not valid.'), 401);
    if (!/^(https:\/\/graph\.microsoft\.com\/*|00000003-0000-0000-c000-000000000000)$/.test(caller.audience)) {
      return c.json(
        azureError('InvalidAuthenticationToken', 'Access token validation failure. Invalid audience.'),
        401,
      );
    }
    return next();
  });

  app.get('/v1.0/me', (c) => {
    const principal = c.get('caller')?.principal;
    return principal?.kind === 'user'
      ? c.json({ '@odata.context': `${context}#users/$entity`, ...userOf(principal) })
      : c.json(azureError('BadRequest', '/me request is only valid with delegated authentication flow.'), 400);
  });

  app.get('/v1.0/servicePrincipals', (c) => {
    const found = filtered(everyPrincipal(world).filter(isApplication), c.req.query('$filter') ?? '');
    return found
      ? c.json({ '@odata.context': `${context}#servicePrincipals`, value: found.map(servicePrincipalOf) })
      : c.json(azureError('Request_UnsupportedQuery', 'The filter is not one that the local Graph knows.'), 400);
  });

  app.get('/v1.0/users', (c) => {
    const found = filtered(
      everyPrincipal(world).filter((one) => one.kind === 'user'),
      c.req.query('$filter') ?? '',
    );
    return found
      ? c.json({ '@odata.context': `${context}#users`, value: found.map(userOf) })
      : c.json(azureError('Request_UnsupportedQuery', 'The filter is not one that the local Graph knows.'), 400);
  });

  for (const kind of ['users', 'servicePrincipals'] as const) {
    app.get(`/v1.0/${kind}/:id`, (c) => {
      const id = c.req.param('id') ?? '';
      const one = everyPrincipal(world).find(
        (principal) => principal.objectId === id.toLowerCase() || upnOf(principal).toLowerCase() === id.toLowerCase(),
      );
      if (one && isApplication(one) === (kind === 'servicePrincipals')) return c.json(objectOf(one));

      return c.json(
        azureError(
          'Request_ResourceNotFound',
          `Resource '${id}' does not exist or one of its queried reference-property objects are not present.`,
        ),
        404,
      );
    });
  }

  app.get('/v1.0/:of/owners', (c) => {
    const [, set, appId] = /^(applications|servicePrincipals)\(appId='([^']*)'\)$/.exec(c.req.param('of') ?? '') ?? [];
    if (appId !== CMK_API_CLIENT_ID) {
      return c.json(azureError('Request_ResourceNotFound', `Resource '${appId}' does not exist.`), 404);
    }
    const ids = world.apiOwners[set as keyof World['apiOwners']];
    const value = everyPrincipal(world)
      .filter((one) => ids.includes(one.objectId))
      .map(objectOf);
    return c.json({ '@odata.context': `${context}#directoryObjects`, value });
  });

  app.post('/v1.0/directoryObjects/getByIds', async (c) => {
    const body = asObject(await c.req.json().catch(() => undefined));
    const ids = asArray(body?.ids);
    if (!ids) return c.json(azureError('Request_BadRequest', 'The body has no ids.'), 400);
    const wanted = new Set(ids.map((id) => String(id).toLowerCase()));
    const value = everyPrincipal(world)
      .filter((one) => wanted.has(one.objectId))
      .map(objectOf);
    return c.json({ '@odata.context': `${context}#directoryObjects`, value });
  });

  app.all('*', (c) => c.json(azureError('BadRequest', `Resource not found for the segment '${c.req.path}'.`), 400));

  return app;
}

function isApplication(principal: Principal): boolean {
  return principal.kind !== 'user';
}

/** The filters az sends: by app id (two spellings), by display name, by sign-in name. */
function filtered(all: Principal[], filter: string): Principal[] | undefined {
  if (filter === '') return all;
  const byName = /^servicePrincipalNames\/any\(\w+:\w+ eq '([^']*)'\)$/.exec(filter)?.[1];
  const byAppId = /^appId eq '([^']*)'$/.exec(filter)?.[1];
  const appId = byName ?? byAppId;
  if (appId !== undefined) return all.filter((one) => one.clientId === appId.toLowerCase());
  const named = /^(displayName|userPrincipalName|mail) eq '([^']*)'$/.exec(filter);
  if (named) return all.filter((one) => named[2] === (named[1] === 'displayName' ? one.displayName : upnOf(one)));
  const prefix = /^startswith\(displayName,'([^']*)'\)$/i.exec(filter)?.[1];
  return prefix === undefined ? undefined : all.filter((one) => one.displayName.startsWith(prefix));
}

function objectOf(principal: Principal): Record<string, unknown> {
  return isApplication(principal)
    ? { '@odata.type': '#microsoft.graph.servicePrincipal', ...servicePrincipalOf(principal) }
    : { '@odata.type': '#microsoft.graph.user', ...userOf(principal) };
}

function servicePrincipalOf(principal: Principal): Record<string, unknown> {
  return {
    id: principal.objectId,
    appId: principal.clientId,
    displayName: principal.displayName,
    appDisplayName: principal.displayName,
    servicePrincipalNames: [principal.clientId],
    servicePrincipalType: principal.kind === 'managedIdentity' ? 'ManagedIdentity' : 'Application',
    accountEnabled: true,
  };
}

function userOf(principal: Principal): Record<string, unknown> {
  return {
    id: principal.objectId,
    displayName: principal.displayName,
    userPrincipalName: upnOf(principal),
    mail: null,
  };
}

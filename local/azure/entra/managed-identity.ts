import { timingSafeEqual } from 'node:crypto';
import { Hono } from 'hono';
import { CLIENT_IDS } from '../constants.ts';
import type { Principal, World } from '../world.ts';
import { identityPrincipal, type TokenAuthority } from './token-authority.ts';

/**
 * The managed-identity endpoint of App Service (protocol 2019-08-01): `IDENTITY_ENDPOINT`, guarded by
 * `IDENTITY_HEADER`. Without a client id it issues tokens of the app's system-assigned identity.
 */
export function createManagedIdentityService(world: World, tokens: TokenAuthority, secret: string): Hono {
  const app = new Hono();
  app.get('/msi/token', (c) => {
    const refuse = (message: string, status: 400 | 403 = 400) => c.json({ statusCode: status, message }, status);

    if (!sameText(c.req.header('x-identity-header') ?? '', secret)) {
      return refuse('X-IDENTITY-HEADER does not match. Ask with the value of IDENTITY_HEADER.', 403);
    }

    if (c.req.query('api-version') !== '2019-08-01') return refuse('Unsupported api-version: use 2019-08-01.');

    const resource = c.req.query('resource');
    if (!resource) return refuse('The query has no resource.');

    const principal = identityFor(world, new URL(c.req.url).searchParams);
    if (!principal) {
      return refuse(
        'No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.',
      );
    }

    const { token, expiresOn } = tokens.issue(principal, resource, { lifetimeSeconds: 86_400 });

    return c.json({
      access_token: token,
      expires_on: String(expiresOn),
      resource,
      token_type: 'Bearer',
      client_id: principal.clientId,
    });
  });

  return app;
}

function identityFor(world: World, query: URLSearchParams): Principal | undefined {
  const clientId = query.get('client_id')?.toLowerCase();
  const resourceId = (query.get('mi_res_id') ?? query.get('msi_res_id'))?.toLowerCase();
  const principalId = (query.get('principal_id') ?? query.get('object_id'))?.toLowerCase();
  if (!clientId && !resourceId && !principalId) return world.principals.get(CLIENT_IDS.app);

  if (clientId) {
    const known = world.principals.get(clientId);
    if (known) return known.kind === 'managedIdentity' ? known : undefined;
  }

  for (const [id, identity] of world.identities) {
    if (id === resourceId || identity.clientId === clientId || identity.principalId === principalId) {
      return world.principals.get(identity.clientId) ?? identityPrincipal(identity);
    }
  }

  return undefined;
}

function sameText(given: string, wanted: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(wanted);
  return a.length === b.length && timingSafeEqual(a, b);
}

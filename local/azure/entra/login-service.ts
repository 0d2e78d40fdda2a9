import { Hono } from 'hono';
import { cors } from 'hono/cors';
import { azureError, type Service, type ServiceEnv } from '../service.ts';
import type { World } from '../world.ts';
import { Grants } from './grants.ts';
import { createSignInService } from './sign-in-service.ts';
import type { TokenAuthority } from './token-authority.ts';

const login = 'https://login.microsoftonline.com';

/**
 * Entra ID at `login.microsoftonline.com`: discovery, key set, token endpoints of v1 and v2, and the sign-in of pages.
 */
export function createLoginService(world: World, tokens: TokenAuthority): Service {
  const grants = new Grants(world, tokens);
  const app = new Hono<ServiceEnv>();

  app.get('/common/discovery/instance', (c) =>
    c.json({
      tenant_discovery_endpoint: `${login}/${world.tenantId}/v2.0/.well-known/openid-configuration`,
      'api-version': '1.1',
      metadata: [
        {
          preferred_network: 'login.microsoftonline.com',
          preferred_cache: 'login.windows.net',
          aliases: ['login.microsoftonline.com', 'login.windows.net', 'login.microsoft.com', 'sts.windows.net'],
        },
      ],
    }),
  );

  for (const version of ['v2.0', 'v1.0'] as const) {
    const prefix = version === 'v2.0' ? '/:tenant/v2.0' : '/:tenant';
    app.get(`${prefix}/.well-known/openid-configuration`, (c) => {
      const tenant = tenantOf(world, c.req.param('tenant') ?? '');
      return tenant
        ? c.json(discovery(world, tenant, version))
        : c.json(unknownTenant(c.req.param('tenant') ?? ''), 400);
    });
  }

  app.get('/:tenant/discovery/v2.0/keys', (c) => c.json(tokens.jwks()));
  app.get('/:tenant/discovery/keys', (c) => c.json(tokens.jwks()));

  app.post('/:tenant/oauth2/v2.0/devicecode', async (c) => {
    const answer = grants.deviceCode(new URLSearchParams(await c.req.text()));
    return c.json(answer.body, answer.status);
  });

  // A page redeems its code from another origin. PKCE and the redirect URI protect it.
  app.use('/:tenant/oauth2/v2.0/token', cors({ origin: '*', allowMethods: ['POST'] }));

  const tokenEndpoint = async (text: string, tenant: string) =>
    tenantOf(world, tenant)
      ? grants.token(new URLSearchParams(text))
      : ({ status: 400, body: unknownTenant(tenant) } as const);

  for (const path of ['/:tenant/oauth2/v2.0/token', '/:tenant/oauth2/token'] as const) {
    app.post(path, async (c) => {
      const answer = await tokenEndpoint(await c.req.text(), c.req.param('tenant'));
      return c.json(answer.body, answer.status, { 'cache-control': 'no-store, no-cache' });
    });
  }

  app.route('/', createSignInService(world, grants));
  app.all('*', (c) => c.json(azureError('NotFound', `Entra ID has no ${c.req.path} here.`), 404));

  return app;
}

/** The tenant in a URL: the local one, or a multi-tenant word, which means the local one here. */
function tenantOf(world: World, tenant: string): string | undefined {
  if (['common', 'organizations'].includes(tenant)) return tenant;
  return tenant.toLowerCase() === world.tenantId ? world.tenantId : undefined;
}

function discovery(world: World, tenant: string, version: 'v1.0' | 'v2.0'): Record<string, unknown> {
  const v2 = version === 'v2.0';
  const issuerTenant = tenant === world.tenantId ? tenant : '{tenantid}';
  const oauth = v2 ? `${login}/${tenant}/oauth2/v2.0` : `${login}/${tenant}/oauth2`;

  return {
    token_endpoint: `${oauth}/token`,
    token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt', 'client_secret_basic'],
    jwks_uri: `${login}/${tenant}/discovery/${v2 ? 'v2.0/' : ''}keys`,
    response_modes_supported: ['query', 'fragment', 'form_post'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    response_types_supported: ['code', 'id_token', 'code id_token', 'id_token token'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    issuer: v2 ? `${login}/${issuerTenant}/v2.0` : `https://sts.windows.net/${issuerTenant}/`,
    request_uri_parameter_supported: false,
    userinfo_endpoint: 'https://graph.microsoft.com/oidc/userinfo',
    authorization_endpoint: `${oauth}/authorize`,
    device_authorization_endpoint: `${login}/${tenant}/oauth2/v2.0/devicecode`,
    http_logout_supported: true,
    end_session_endpoint: `${oauth}/logout`,
    claims_supported: ['sub', 'iss', 'aud', 'exp', 'iat', 'nonce', 'preferred_username', 'name', 'tid', 'ver'],
    tenant_region_scope: 'EU',
    cloud_instance_name: 'microsoftonline.com',
    cloud_graph_host_name: 'graph.windows.net',
    msgraph_host: 'graph.microsoft.com',
    rbac_url: 'https://pas.windows.net',
  };
}

function unknownTenant(tenant: string): Record<string, unknown> {
  return {
    error: 'invalid_tenant',
    error_description: `AADSTS90002: Tenant '${tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.`,
    error_codes: [90002],
  };
}

import { Hono } from 'hono';
import { requireAnsweredByFailedOver } from '../failed-over.ts';
import { writeLog } from '../log-analytics/vault-log.ts';
import type { Caller, Service, ServiceEnv } from '../service.ts';
import type { Vault, World } from '../world.ts';
import { cryptoOperations } from './crypto-operations.ts';
import { deletedKeyOperations } from './deleted-key-operations.ts';
import { badParameter, KeyVaultError } from './errors.ts';
import { requireNetwork } from './firewall.ts';
import { keyBackupOperations } from './key-backup.ts';
import { keyOperations } from './key-operations.ts';
import { findVault } from './keys.ts';
import { answerLocalRoles, isAboutRoles } from './local-roles.ts';
import type { Operation } from './operation.ts';
import { requireKeyPermission } from './permissions.ts';
import { matchRoute } from './routes.ts';
import { createThrottle } from './throttle.ts';

const operations: Operation[] = [
  ...deletedKeyOperations,
  ...keyBackupOperations,
  ...cryptoOperations,
  ...keyOperations,
];

/** Resource of the tokens. The application is the same for both. */
const resourceOf = (vault: Vault) => (vault.local ? 'https://managedhsm.azure.net' : 'https://vault.azure.net');

/** A token's `aud` for Key Vault: the URI of the resource, with or without a slash, or its application id. */
const audiencesOf = (vault: Vault) => [
  resourceOf(vault),
  `${resourceOf(vault)}/`,
  'cfa8b339-82a2-471a-a3c9-0fc0be7a4093',
];

/** The data plane of keys for every vault and Managed HSM. The host name of the request is that of the vault. */
export function createKeyVaultService(world: World): Service {
  const app = new Hono<ServiceEnv>();
  const throttle = createThrottle(world);

  app.all('*', async (c) => {
    const url = new URL(c.req.url);
    const vault = findVault(world, url.host);
    let note = (_status: number): void => {};
    try {
      // In Azure this name no longer resolves. On an open connection, answer as the proxy answers a new one.
      if (!vault) return c.body(null, 502);

      const caller = requireCaller(vault, c.get('caller'), c.req.header('authorization'));

      requireNetwork(world, vault, caller);

      const apiVersion = url.searchParams.get('api-version');

      requireKnownVersion(apiVersion);

      const { method } = c.req;

      if (vault.local && apiVersion && isAboutRoles(url)) {
        const body = readBody(await c.req.text());

        note = (status) => logRequest(world, vault, { operation: roleOperation(method, url) }, caller, status);

        const { status, body: shown } = answerLocalRoles({ world, access: vault.local, caller, method, url, body });
        note(status);

        return reply(vault, status, shown);
      }

      const { operation, params } = matchRoute(operations, method, url.pathname);

      if (!apiVersion) throw badParameter('The api-version query parameter is missing.');

      requireOperationOf(apiVersion, operation);
      requireKeyPermission(world, vault, caller, params.name, operation);
      requireAnsweredByFailedOver(world, vault, operation);
      throttle(vault, operation.cost, () => newestSize(vault, params.name));

      const body = readBody(await c.req.text());
      const what = { operation: nameOf(operation), keyName: params.name, version: params.version?.toLowerCase() };

      note = (status) => logRequest(world, vault, what, caller, status);

      const answer = operation.run({ world, vault, caller, url, apiVersion, params, body });

      note(200);

      return reply(vault, answer ? 200 : 204, answer);
    } catch (error) {
      if (!(error instanceof KeyVaultError)) throw error;
      note(error.status);
      return reply(vault, error.status, error.body(), error.headers);
    }
  });

  return app;
}

/** The api-versions of the SDKs and of `az`, and the others of Key Vault's specifications, oldest first. */
const API_VERSIONS = [
  ...['2015-06-01', '2016-10-01', '7.0', '7.1', '7.2', '7.3-preview', '7.3', '7.4-preview.1', '7.4', '7.5-preview.1'],
  ...['7.5', '7.6-preview.1', '7.6-preview.2', '7.6', '2025-06-01-preview', '2025-07-01'],
];

/** Rotation exists since 7.3. */
const ROTATION_SINCE = API_VERSIONS.indexOf('7.3-preview');

function requireKnownVersion(apiVersion: string | null): void {
  if (apiVersion === null || API_VERSIONS.includes(apiVersion)) return;
  throw badParameter(
    `The specified version (${apiVersion}) is not recognized. Consider using the latest supported version (${API_VERSIONS.at(-1)}).`,
  );
}

/** Throws for an operation that the api-version does not have (Key Vault, "Versions"). */
function requireOperationOf(apiVersion: string, { route, method }: Operation): void {
  const isAboutRotation = /\/(rotate|rotationpolicy)$/i.test(route);
  if (!isAboutRotation || API_VERSIONS.indexOf(apiVersion) >= ROTATION_SINCE) return;
  throw badParameter(`Method ${method} does not allow operation '${route.slice(route.lastIndexOf('/') + 1)}'`);
}

/** Names of operations in the audit log (Key Vault, "logging", operation names), by the end of their route. */
const LOGGED_AS: Readonly<Record<string, string>> = {
  wrapKey: 'KeyWrap',
  unwrapKey: 'KeyUnwrap',
  encrypt: 'KeyEncrypt',
  decrypt: 'KeyDecrypt',
  sign: 'KeySign',
  verify: 'KeyVerify',
  versions: 'KeyListVersions',
  keys: 'KeyList',
};
const LOGGED_BY_METHOD: Readonly<Record<string, string>> = { GET: 'KeyGet', PATCH: 'KeyUpdate', DELETE: 'KeyDelete' };

function nameOf({ route, method }: Operation): string {
  const end = route.slice(route.lastIndexOf('/') + 1);
  return LOGGED_AS[end] ?? LOGGED_BY_METHOD[method] ?? 'KeyCreate';
}

/** A Managed HSM's names for requests about its roles are not documented. */
function roleOperation(method: string, { pathname }: URL): string {
  const what = /roleAssignments/i.test(pathname) ? 'RoleAssignment' : 'RoleDefinition';
  return `${what}${{ GET: 'List', PUT: 'Create' }[method] ?? 'Delete'}`;
}

function logRequest(
  world: World,
  vault: Vault,
  what: { readonly operation: string; readonly keyName?: string | undefined; readonly version?: string | undefined },
  { principal }: Caller,
  status: number,
): void {
  const { objectId, clientId } = principal;
  const appId = principal.kind === 'user' ? undefined : clientId;
  const { operation, keyName, version } = what;
  const entry = { operation, keyName, version, objectId, appId, status };
  writeLog(world, vault, entry, world.clock.nowMs());
}

function requireCaller(vault: Vault, caller: Caller | undefined, authorization: string | undefined): Caller {
  const challenge = {
    'www-authenticate': `Bearer authorization="https://login.microsoftonline.com/${String(vault.properties.tenantId)}", resource="${resourceOf(vault)}"`,
  };

  if (!authorization) {
    const message = 'AKV10000: Request is missing a Bearer or PoP token.';
    throw new KeyVaultError(401, 'Unauthorized', message, undefined, challenge);
  }

  if (!caller) {
    const message = "[TokenInvalid] Error validating token: 'S2S12005'.";
    throw new KeyVaultError(401, 'Unauthorized', message, undefined, challenge);
  }

  if (!audiencesOf(vault).includes(caller.audience)) {
    const message = `AKV10022: Invalid audience. Expected ${resourceOf(vault)}, found: ${caller.audience}.`;
    throw new KeyVaultError(401, 'Unauthorized', message, undefined, challenge);
  }

  return caller;
}

function newestSize(vault: Vault, keyName: string | undefined): number | undefined {
  return vault.keys.get((keyName ?? '').toLowerCase())?.versions.at(-1)?.keySize;
}

function readBody(text: string): Record<string, unknown> | undefined {
  if (text.trim() === '') return undefined;
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Record<string, unknown>;
  } catch {
    // refused below
  }
  throw badParameter('The request body must be a JSON object.');
}

function reply(
  vault: Vault | undefined,
  status: number,
  body: Record<string, unknown> | undefined,
  headers: Record<string, string> = {},
): Response {
  return new Response(body ? JSON.stringify(body) : null, {
    status,
    headers: {
      ...(body ? { 'content-type': 'application/json; charset=utf-8' } : {}),
      'cache-control': 'no-cache',
      'strict-transport-security': 'max-age=31536000;includeSubDomains',
      'x-ms-keyvault-region': vault?.location ?? 'unknown',
      'x-ms-keyvault-service-version': '1.9.1054.1',
      'x-ms-keyvault-network-info': 'conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;',
      'x-ms-request-id': crypto.randomUUID(),
      ...headers,
    },
  });
}

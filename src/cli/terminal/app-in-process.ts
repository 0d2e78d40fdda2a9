import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { ROUTES } from '../../api/routes.ts';
import type { TokenCredential } from '../../azure/credential.ts';
import { describeFailure } from '../../azure/failure.ts';
import { CmkError } from '../../errors/errors.ts';
import type { Log } from '../../errors/log.ts';
import { readJsonBody } from '../../http/json-body.ts';
import { HttpProblem } from '../../http/problem.ts';
import { parseCallQuery } from '../../http/query.ts';
import { ROLES } from '../../http/roles.ts';
import type { Caller } from '../../http/token-claims.ts';
import { createServices } from '../../services.ts';
import { hasAppStorage } from '../../settings/own-storage.ts';
import type { Environment } from '../../settings/settings.ts';
import { type AppApi, checkAnswer } from '../procedures/app-api.ts';
import type { Operator } from '../procedures/operator-azure.ts';

/** The API of the app, served in this process instead of by a deployed instance. */
export interface AppInProcess extends AppApi {
  /** Sends a changing call in the operator's name. @throws {@link CmkError} with the API's message */
  send<T>(method: 'POST' | 'DELETE', path: string, body: object | undefined, shape: z.ZodType<T>): Promise<T>;
}

/** Caller with every role of the API: Azure checks the rights of the operator's sign-in. */
const CALLER: Caller = {
  objectId: 'operator',
  appId: 'cmk',
  tenantId: '',
  kind: 'person',
  roles: ROLES,
  scopes: [],
  authContexts: [],
  tokenId: undefined,
  name: undefined,
};

const SILENT = () => {};

/**
 * Serves calls with the API's own route table. Reads the app's storage and Key Vault with the operator's sign-in, from
 * the first call on.
 *
 * @param log receives failed reads of the app
 * @throws {@link CmkError} `ArgumentInvalid` if the environment does not name the app's storage; {@link SettingsError}
 *   if a setting is wrong
 */
export function createAppInProcess(
  environment: Environment,
  { credential, operator, log }: { credential: TokenCredential; operator: () => Promise<Operator>; log: Log },
): AppInProcess {
  if (!hasAppStorage(environment)) {
    throw new CmkError(
      'ArgumentInvalid',
      'No setting names the address of the app or its storage.',
      "Set CMK_API and CMK_API_AUDIENCE, or set AzureWebJobsStorage__accountName and CMK_VAULTS to the app's storage account and vaults.",
    );
  }

  // In the operator's environment AZURE_CLIENT_ID belongs to the operator's sign-in; the app would use it as its own
  // identity.
  const created = createServices({ ...environment, AZURE_CLIENT_ID: undefined }, credential, log);

  // Without a setting, only the app's identity can list the subscriptions that it manages.
  const services = { ...created, inSight: async () => created.settings.subscriptions };
  const call = async (caller: Caller, method: string, path: string, sent?: object): Promise<unknown> => {
    const { href: url, pathname, searchParams } = new URL(path, 'http://localhost');
    const { route, params } = routeOf(method, pathname);
    const headers = { 'content-type': 'application/json' };
    const request = new Request(url, { method, headers, body: sent ? JSON.stringify(sent) : null });
    const [schema] = Object.values(route.body ?? {});
    const { body } = await route.handle({
      request: { headers: new Headers(), params, url },
      query: parseCallQuery(searchParams, route.query ?? {}),
      body: () => (schema ? readJsonBody(request, schema) : Promise.reject(new Error('The route has no body.'))),
      caller,
      services,
      // The answer already reports each change.
      log: method === 'GET' ? log : SILENT,
      reaches: () => true,
      require: SILENT,
      correlationId: randomUUID(),
      onUnexpected: SILENT,
    });

    return JSON.parse(String(body));
  };

  return {
    async get(path, shape) {
      return checkAnswer(await call(CALLER, 'GET', path).catch(asCmkError), shape, path);
    },
    async send(method, path, body, shape) {
      const { objectId, tenantId, kind, name } = await operator();
      const caller = { ...CALLER, objectId, tenantId, kind: kind === 'User' ? 'person' : 'application', name } as const;
      return checkAnswer(await call(caller, method, path, body).catch(asCmkError), shape, path);
    },
  };
}

function routeOf(method: string, pathname: string) {
  for (const route of ROUTES) {
    const pattern = new RegExp(`^${route.path.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`);
    const found = route.method === method ? pattern.exec(pathname) : null;
    if (!found) continue;
    const params = Object.entries(found.groups ?? {}).map(([name, text]) => [name, decodeURIComponent(text)]);
    return { route, params: Object.fromEntries(params) as Record<string, string> };
  }
  throw new Error(`The API has no ${method} ${pathname}.`);
}

/** Throws an error answer of the API as an error of the command line; other errors stay as they are. */
function asCmkError(error: unknown): never {
  if (!(error instanceof HttpProblem)) throw error;

  const { reason, message, nextStep, status, cause } = error;
  if (reason === 'ServiceUnavailable' && describeFailure(cause).kind === 'forbidden') {
    throw new CmkError(
      'MissingPermission',
      message,
      "Ask for Storage Table, Blob and Queue Data Contributor (to read: Reader) on the app's storage accounts; with a connection string, check its key.",
      { cause: error },
    );
  }

  throw new CmkError(status === 400 ? 'ArgumentInvalid' : reason, message, nextStep, { cause: error });
}

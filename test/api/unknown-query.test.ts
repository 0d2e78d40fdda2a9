import type { HttpRequest, HttpResponseInit, InvocationContext } from '@azure/functions';
import { describe, expect, it } from 'vitest';
import { answerCalls } from '../../src/api/answer-call.ts';
import { createOpenApiDocument } from '../../src/api/openapi.ts';
import { ROUTES } from '../../src/api/routes.ts';
import { ROLES } from '../../src/http/roles.ts';
import type { Services } from '../../src/services.ts';

const CALLER = { objectId: 'operator', appId: 'client', kind: 'person', roles: ROLES, scopes: ['access_as_user'] };
const SERVICES = {
  authenticate: async () => CALLER,
  now: () => new Date(),
  nowBoard: { changed: () => {} },
  settings: { access: { clients: [], restoreApplications: [], stepUp: undefined, roleScopes: [] } },
} as unknown as Services;

describe.each(ROUTES.map((route) => [`${route.method} ${route.path}`, route] as const))('%s', (_, route) => {
  it('A route rejects a query parameter that it does not have, and changes nothing', async () => {
    let isHandled = false;
    const handle = async () => {
      isHandled = true;
      return {};
    };
    const answer = answerCalls({ ...route, handle }, { services: () => SERVICES, logOf: () => () => {} });
    const url = `http://app/api${route.path}?${route.query?.dryRun ? 'dry_run' : 'dryRun'}=true`;
    const params = { vault: 'kv-files', key: 'files-key' };
    const request = { headers: new Headers(), method: route.method, params, url } as unknown as HttpRequest;
    const context = { functionName: route.id, invocationId: 'call' } as InvocationContext;

    const { status, body } = (await answer(request, context)) as HttpResponseInit;
    expect(status).toBe(400);
    expect(JSON.parse(String(body))).toMatchObject({ reason: 'QueryInvalid' });
    expect(isHandled).toBe(false);
  });

  it('The OpenAPI document says that the route rejects a query parameter that it does not have', () => {
    const { paths } = createOpenApiDocument([route]) as {
      paths: Record<string, Record<string, { responses: object }>>;
    };
    const { responses } = paths[route.path]?.[route.method.toLowerCase()] ?? { responses: {} };
    expect(responses).toMatchObject({ 400: { description: expect.stringContaining('QueryInvalid') } });
  });
});

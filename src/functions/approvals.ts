import { app } from '@azure/functions';
import { handleAsk, listApprovals } from '../break-glass/handle-approvals.ts';
import { keyOfCall } from '../break-glass/key-of-route.ts';
import { APPROVAL_REQUEST } from '../break-glass/schemas.ts';
import { callOf } from '../break-glass/to-json.ts';
import { type RouteKey, reachesKey } from '../http/access.ts';
import { readJsonBody } from '../http/json-body.ts';
import { jsonResponse } from '../http/json-response.ts';
import { keysAskedFor } from './access-for.ts';
import { api } from './api.ts';

app.http('approvals', {
  methods: ['GET'],
  route: 'api/approvals',
  authLevel: 'anonymous',
  handler: api(
    'CmkKey.Read',
    async ({ caller, services }) => {
      const { access } = services.settings;
      const reaches = (key: RouteKey | undefined) => reachesKey(caller, 'CmkKey.Read', key, access);
      const value = await listApprovals((request) => keysAskedFor(request).every(reaches), services);
      return jsonResponse(200, { value });
    },
    () => 'read',
    'later',
  ),
});

app.http('askForApproval', {
  methods: ['POST'],
  route: 'api/approvals',
  authLevel: 'anonymous',
  handler: api(
    'CmkKey.Restore',
    async ({ request, caller, services, log, correlationId, requireOn }) => {
      const body = await readJsonBody(request, APPROVAL_REQUEST);
      requireOn(body);
      const key = keyOfCall(services.settings.vaults, body.vault, body.key);
      const approval = await handleAsk(key, body, callOf(caller, correlationId, body), services, log);
      return jsonResponse(202, { reason: 'ApprovalNeeded', approval });
    },
    () => 'restore',
    'later',
  ),
});

import { app } from '@azure/functions';
import { listApprovals } from '../approvals/known-approvals.ts';
import { handleAsk } from '../break-glass/handle-approvals.ts';
import { keyOfCall } from '../break-glass/key-of-route.ts';
import { APPROVAL_REQUEST } from '../break-glass/schemas.ts';
import { callOf } from '../break-glass/to-json.ts';
import { readJsonBody } from '../http/json-body.ts';
import { jsonResponse } from '../http/json-response.ts';
import { api } from './api.ts';
import { maySee } from './approvals-beside.ts';

app.http('approvals', {
  methods: ['GET'],
  route: 'api/approvals',
  authLevel: 'anonymous',
  handler: api(
    'CmkKey.Read',
    async (call) => {
      const value = await listApprovals((request) => maySee(request, call), call.services);
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

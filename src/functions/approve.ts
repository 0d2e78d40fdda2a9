import { app } from '@azure/functions';
import { handleApprove, handleWithdraw, requestInReach } from '../break-glass/handle-approvals.ts';
import { callOf } from '../break-glass/to-json.ts';
import { jsonResponse } from '../http/json-response.ts';
import { api } from './api.ts';

app.http('approve', {
  methods: ['POST'],
  route: 'api/approvals/{id}/approve',
  authLevel: 'anonymous',
  handler: api(
    'CmkKey.Restore',
    async ({ request, caller, services, log, correlationId, requireOn }) => {
      const asked = await requestInReach(request.params.id ?? '', requireOn, services);
      const call = callOf(caller, correlationId, asked);
      return jsonResponse(200, await handleApprove(asked, call, services, log));
    },
    () => 'restore',
    'later',
  ),
});

app.http('withdrawApproval', {
  methods: ['DELETE'],
  route: 'api/approvals/{id}',
  authLevel: 'anonymous',
  handler: api(
    'CmkKey.Restore',
    async ({ request, caller, services, log, correlationId, requireOn }) => {
      const asked = await requestInReach(request.params.id ?? '', requireOn, services);
      const call = callOf(caller, correlationId, asked);
      return jsonResponse(200, { approval: await handleWithdraw(asked, call, services, log) });
    },
    () => 'restore',
    'later',
  ),
});

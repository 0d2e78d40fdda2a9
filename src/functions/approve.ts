import { app } from '@azure/functions';
import { handleApprove, handleWithdraw, requestInReach } from '../break-glass/handle-approvals.ts';
import { handleApprovePause } from '../break-glass/handle-pause-approval.ts';
import { callOf } from '../break-glass/to-json.ts';
import { jsonResponse } from '../http/json-response.ts';
import { accessFor } from './access-for.ts';
import { api } from './api.ts';

app.http('approve', {
  methods: ['POST'],
  route: 'api/approvals/{id}/approve',
  authLevel: 'anonymous',
  handler: api(
    ['CmkKey.Restore', 'Cmk.Operate'],
    async ({ request, caller, services, log, correlationId, requireFor }) => {
      const reach = (asked: Parameters<typeof accessFor>[0]) => requireFor(accessFor(asked));
      const asked = await requestInReach(request.params.id ?? '', reach, services);
      const call = callOf(caller, correlationId, asked);
      return jsonResponse(
        200,
        asked.action === 'pause'
          ? await handleApprovePause(asked, call, services, log)
          : await handleApprove(asked, call, services, log),
      );
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
    ['CmkKey.Restore', 'Cmk.Operate'],
    async ({ request, caller, services, log, correlationId, requireFor }) => {
      const reach = (asked: Parameters<typeof accessFor>[0]) => requireFor(accessFor(asked));
      const asked = await requestInReach(request.params.id ?? '', reach, services);
      const call = callOf(caller, correlationId, asked);
      return jsonResponse(200, { approval: await handleWithdraw(asked, call, services, log) });
    },
    () => 'restore',
    'later',
  ),
});

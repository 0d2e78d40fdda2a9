import { app } from '@azure/functions';
import type { ApprovalRequest } from '../approvals/approval.ts';
import { approvalAsked, handleApprove, handleWithdraw } from '../break-glass/handle-approvals.ts';
import { callOf } from '../break-glass/to-json.ts';
import { jsonResponse } from '../http/json-response.ts';
import { approveRekey } from '../rekey/http/approve-rekey.ts';
import { type ApiCall, api } from './api.ts';
import { rekeyPorts } from './rekey-ports.ts';

app.http('approve', {
  methods: ['POST'],
  route: 'approvals/{id}/approve',
  authLevel: 'anonymous',
  handler: api(
    ['CmkKey.Restore', 'Cmk.Operate'],
    async (apiCall) => {
      const { caller, services, log, correlationId } = apiCall;
      const asked = await requestInReach(apiCall);
      const call = callOf(caller, correlationId, asked);
      return jsonResponse(
        200,
        asked.action === 'restore'
          ? await handleApprove(asked, call, services, log)
          : await approveRekey(asked, call, rekeyPorts(services), log),
      );
    },
    () => 'restore',
    'later',
  ),
});

app.http('withdrawApproval', {
  methods: ['DELETE'],
  route: 'approvals/{id}',
  authLevel: 'anonymous',
  handler: api(
    ['CmkKey.Restore', 'Cmk.Operate'],
    async (apiCall) => {
      const { caller, services, log, correlationId } = apiCall;
      const asked = await requestInReach(apiCall);
      const call = callOf(caller, correlationId, asked);
      return jsonResponse(200, { approval: await handleWithdraw(asked, call, services, log) });
    },
    () => 'restore',
    'later',
  ),
});

/** What was asked for, if the role that it takes reaches every key that it is about. @throws HttpProblem 403, 404 */
async function requestInReach({ request, services, requireOn }: ApiCall): Promise<ApprovalRequest> {
  const asked = await approvalAsked(request.params.id ?? '', services);
  if (asked.action === 'restore') requireOn(asked, 'CmkKey.Restore');
  else for (const key of [asked, asked.to]) requireOn(key, 'Cmk.Operate');
  return asked;
}

import { app } from '@azure/functions';
import type { ApprovalRequest } from '../approvals/approval.ts';
import { handleApproveAccount, isOfAccount } from '../break-glass/handle-account-approval.ts';
import { approvalAsked, handleApprove, handleWithdraw } from '../break-glass/handle-approvals.ts';
import { handleApprovePause } from '../break-glass/handle-pause-approval.ts';
import { callOf } from '../break-glass/to-json.ts';
import type { RouteKey } from '../http/access.ts';
import { jsonResponse } from '../http/json-response.ts';
import { HttpProblem } from '../http/problem.ts';
import { accessFor } from './access-for.ts';
import { type ApiCall, api } from './api.ts';
import { nowBoard } from './shared-calls.ts';

app.http('approve', {
  methods: ['POST'],
  route: 'api/approvals/{id}/approve',
  authLevel: 'anonymous',
  handler: api(
    ['CmkKey.Restore', 'Cmk.Operate'],
    async (apiCall) => {
      const { caller, services, log, correlationId, requireOn } = apiCall;
      const asked = await requestInReach(apiCall);
      const call = callOf(caller, correlationId, asked);
      if (asked.action === 'rekey') {
        throw new HttpProblem(
          409,
          'RekeyNotPossible',
          'Re-keys are not approved any more.',
          'Start it: POST /api/rekeys.',
        );
      }
      if (isOfAccount(asked)) {
        const requireAlsoOn = (key: RouteKey) => requireOn(key, 'CmkKey.Restore');
        try {
          return jsonResponse(200, await handleApproveAccount(asked, call, requireAlsoOn, services, log));
        } finally {
          nowBoard.changed({ account: asked.account }, services);
        }
      }
      const approved =
        asked.action === 'pause'
          ? await handleApprovePause(asked, call, services, log)
          : await handleApprove(asked, call, services, log);
      return jsonResponse(200, approved);
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
async function requestInReach({ request, services, requireFor }: ApiCall): Promise<ApprovalRequest> {
  const asked = await approvalAsked(request.params.id ?? '', services);
  for (const access of accessFor(asked)) requireFor(access);
  return asked;
}

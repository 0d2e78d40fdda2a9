import { app } from '@azure/functions';
import { handleAskPause } from '../break-glass/handle-pause-approval.ts';
import { callOf } from '../break-glass/to-json.ts';
import { readJsonBody } from '../http/json-body.ts';
import { jsonResponse } from '../http/json-response.ts';
import { handlePause, handleResume, pauseOf } from '../orders/http/pause-api.ts';
import { PAUSE_REQUEST, RESUME_REQUEST } from '../orders/http/pause-schemas.ts';
import { api } from './api.ts';

app.http('pause', {
  methods: ['POST'],
  route: 'api/pause',
  authLevel: 'anonymous',
  handler: api('Cmk.Operate', async ({ request, services, log, ...call }) => {
    const body = pauseOf(await readJsonBody(request, PAUSE_REQUEST), services);
    if (services.settings.access.pauseApprovals === 0) return handlePause(body, call, services, log);
    const asked = callOf(call.caller, call.correlationId, body);
    const approval = await handleAskPause(body.key, body, asked, services, log);
    return jsonResponse(202, { reason: 'ApprovalNeeded', approval });
  }),
});

app.http('resume', {
  methods: ['POST'],
  route: 'api/resume',
  authLevel: 'anonymous',
  handler: api('Cmk.Operate', async ({ request, services, log, ...call }) =>
    handleResume(await readJsonBody(request, RESUME_REQUEST), call, services, log),
  ),
});

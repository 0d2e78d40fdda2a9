import { app } from '@azure/functions';
import { readJsonBody } from '../http/json-body.ts';
import { handlePause, handleResume, pauseOf } from '../orders/pause-api.ts';
import { PAUSE_REQUEST, RESUME_REQUEST } from '../orders/pause-schemas.ts';
import { api } from './api.ts';

app.http('pause', {
  methods: ['POST'],
  route: 'api/pause',
  authLevel: 'anonymous',
  handler: api('Cmk.Operate', async ({ request, services, log, ...call }) => {
    const body = pauseOf(await readJsonBody(request, PAUSE_REQUEST), services);
    return handlePause(body, call, services, log);
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

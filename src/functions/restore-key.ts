import { app } from '@azure/functions';
import { handleRestore } from '../break-glass/handle-restore.ts';
import { keyOfCall } from '../break-glass/key-of-route.ts';
import { RESTORE_REQUEST } from '../break-glass/schemas.ts';
import { callOf } from '../break-glass/to-json.ts';
import { readJsonBody } from '../http/json-body.ts';
import { jsonResponse } from '../http/json-response.ts';
import { api } from './api.ts';

app.http('restoreKey', {
  methods: ['POST'],
  route: 'api/keys/{vault}/{key}/restore',
  authLevel: 'anonymous',
  handler: api(
    'CmkKey.Restore',
    async ({ request, caller, services, log, correlationId }) => {
      const key = keyOfCall(services.settings.vaults, request.params.vault, request.params.key);
      const body = await readJsonBody(request, RESTORE_REQUEST);
      const call = callOf(caller, correlationId, body);
      return jsonResponse(200, await handleRestore(key, body, call, services, log));
    },
    () => 'restore',
  ),
});

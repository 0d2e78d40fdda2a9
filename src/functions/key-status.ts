import { app } from '@azure/functions';
import { keyOfCall } from '../break-glass/key-of-route.ts';
import { keyStatus } from '../break-glass/key-status.ts';
import { conditional } from '../http/etag.ts';
import { jsonResponse } from '../http/json-response.ts';
import { statusContent } from '../views/key.ts';
import { api } from './api.ts';

app.http('keyStatus', {
  methods: ['GET'],
  route: 'api/keys/{vault}/{key}',
  authLevel: 'anonymous',
  handler: api('CmkKey.Read', async ({ request, services, log }) => {
    const key = keyOfCall(services.settings.vaults, request.params.vault, request.params.key);
    // It is there long before the vault and the accounts have answered.
    void services.control.refresh(log);
    const status = await keyStatus(key, services);
    return conditional(request.headers, jsonResponse(200, status), statusContent(status));
  }),
});

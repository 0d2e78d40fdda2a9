import { app } from '@azure/functions';
import { accountOfCall, revocableOfCall } from '../break-glass/account-of-call.ts';
import { ACCOUNT_RESTORE_REQUEST } from '../break-glass/account-schemas.ts';
import { lookAtAccount } from '../break-glass/account-status.ts';
import { handleAccountRestore, keysOfRestore } from '../break-glass/handle-account-restore.ts';
import { callOf } from '../break-glass/to-json.ts';
import { readJsonBody } from '../http/json-body.ts';
import { jsonResponse } from '../http/json-response.ts';
import { api } from './api.ts';

app.http('restoreAccount', {
  methods: ['POST'],
  route: 'api/accounts/{name}/restore',
  authLevel: 'anonymous',
  handler: api(
    'CmkKey.Restore',
    async ({ request, caller, services, log, correlationId, requireOn }) => {
      const body = await readJsonBody(request, ACCOUNT_RESTORE_REQUEST);
      const look = await lookAtAccount(await accountOfCall(request.params.name, services), services);
      const named = look.open.find(({ id }) => id === body.revocation.toLowerCase()) ?? look.open[0];
      const revocable = await revocableOfCall(look.account, named?.part ?? 'identity', services);
      for (const key of keysOfRestore(revocable, look.open)) requireOn(key);
      const call = callOf(caller, correlationId, body);
      return jsonResponse(200, await handleAccountRestore(revocable, body, call, requireOn, services, log));
    },
    () => 'restore',
    'later',
  ),
});

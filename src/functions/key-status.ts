import { app } from '@azure/functions';
import { keyOfCall } from '../break-glass/key-of-route.ts';
import { keyStatus } from '../break-glass/key-status.ts';
import { conditional } from '../http/etag.ts';
import { jsonResponse } from '../http/json-response.ts';
import { partContent } from '../http/part.ts';
import { statusContent } from '../views/key.ts';
import { api } from './api.ts';
import { withApprovals } from './approvals-beside.ts';
import { sharedCalls } from './shared-calls.ts';

app.http('keyStatus', {
  methods: ['GET'],
  route: 'api/keys/{vault}/{key}',
  authLevel: 'anonymous',
  handler: api('CmkKey.Read', async (call) => {
    const { request, caller, services, log } = call;
    const key = keyOfCall(services.settings.vaults, request.params.vault, request.params.key);
    // It is there long before the vault and the accounts have answered.
    void services.control.refresh(log);
    const { answer, approvals } = await withApprovals(
      sharedCalls.status(key, caller.objectId, () => keyStatus(key, services)),
      (asked) => isSameName(asked.vault, key.vault.name) && isSameName(asked.key, key.name),
      call,
    );
    const content = [statusContent(answer), partContent(approvals)];
    return conditional(request.headers, jsonResponse(200, { ...answer, approvals }), content);
  }),
});

function isSameName(one: string | undefined, other: string): boolean {
  return one?.toLowerCase() === other.toLowerCase();
}

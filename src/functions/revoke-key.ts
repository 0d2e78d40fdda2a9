import { app } from '@azure/functions';
import { checkConfirmation, dryRunRevoke, handleRevoke } from '../break-glass/handle-revoke.ts';
import { keyOfCall } from '../break-glass/key-of-route.ts';
import { REVOKE_REQUEST } from '../break-glass/schemas.ts';
import { callOf } from '../break-glass/to-json.ts';
import { readJsonBody } from '../http/json-body.ts';
import { jsonResponse } from '../http/json-response.ts';
import { api } from './api.ts';
import { flag } from './flag.ts';

app.http('revokeKey', {
  methods: ['POST'],
  route: 'api/keys/{vault}/{key}/revoke',
  // The host's own keys are no sign-in: the token is checked in code.
  authLevel: 'anonymous',
  handler: api(
    'CmkKey.Revoke',
    async ({ request, caller, services, log, correlationId, markValid }) => {
      const key = keyOfCall(services.settings.vaults, request.params.vault, request.params.key);
      if (flag(request.query, 'dryRun')) {
        return jsonResponse(200, await dryRunRevoke(key, services));
      }
      const body = await readJsonBody(request, REVOKE_REQUEST);
      checkConfirmation(body, key);
      markValid();
      const call = callOf(caller, correlationId, body);
      return jsonResponse(200, await handleRevoke(key, call, services, log));
    },
    // A dry run changes nothing; a misspelled one is refused.
    ({ query }) => (query.get('dryRun') === 'true' ? 'read' : 'revoke'),
  ),
});

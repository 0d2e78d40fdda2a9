import { app } from '@azure/functions';
import { accountOfCall, revocableOfCall } from '../break-glass/account-of-call.ts';
import { ACCOUNT_REVOKE_REQUEST, SCOPE } from '../break-glass/account-schemas.ts';
import { dryRunAccount, handleAccountRevoke } from '../break-glass/handle-account-revoke.ts';
import { callOf } from '../break-glass/to-json.ts';
import { readJsonBody } from '../http/json-body.ts';
import { jsonResponse } from '../http/json-response.ts';
import { HttpProblem } from '../http/problem.ts';
import { revokedPart } from '../revocation/account-record.ts';
import { api } from './api.ts';
import { flag } from './flag.ts';

app.http('revokeAccount', {
  methods: ['POST'],
  route: 'api/accounts/{name}/revoke',
  authLevel: 'anonymous',
  handler: api(
    'CmkKey.Revoke',
    async ({ request, caller, services, log, correlationId, requireOn, markValid }) => {
      const { dryRun, scope } = queryOf(request.query);
      // What is refused for its own text costs no look at Azure.
      const body = dryRun ? undefined : await readJsonBody(request, ACCOUNT_REVOKE_REQUEST);
      if (body) markValid();
      const id = await accountOfCall(request.params.name, services);
      const revocable = await revocableOfCall(id, revokedPart(body ? body.scope : scope), services);
      requireOn({ vault: revocable.key.vault.name, key: revocable.key.name });
      if (!body) return jsonResponse(200, await dryRunAccount(revocable, services));
      const call = callOf(caller, correlationId, body);
      return jsonResponse(200, await handleAccountRevoke(revocable, body, call, services, log));
    },
    // A dry run changes nothing; a misspelled one is refused.
    ({ query }) => (query.get('dryRun') === 'true' ? 'read' : 'revoke'),
    'later',
  ),
});

/** Of the query, `scope` goes with a dry run alone: what is done is named in the body. */
function queryOf(query: URLSearchParams): { readonly dryRun: boolean; readonly scope: string | undefined } {
  const others = new URLSearchParams([...query].filter(([name]) => name !== 'scope'));
  const dryRun = flag(others, 'dryRun');
  const scope = SCOPE.safeParse(query.get('scope') ?? undefined);
  if (scope.success && (dryRun || scope.data === undefined)) return { dryRun, scope: scope.data };
  throw new HttpProblem(
    400,
    'QueryInvalid',
    `"scope" is not the name of a scope, or stands in the query of a call that is no dry run. Nothing was changed.`,
    'Name the scope in the body; in the query of a dry run.',
  );
}

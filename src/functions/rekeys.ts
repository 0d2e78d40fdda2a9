import { app } from '@azure/functions';
import { readJsonBody } from '../http/json-body.ts';
import { HttpProblem } from '../http/problem.ts';
import { requireRole } from '../http/roles.ts';
import { checkRekey } from '../rekey/check-rekey.ts';
import { alterRekey, listRekeys, orderRekey, showRekey } from '../rekey/http/rekey-api.ts';
import { REKEY_CHANGE, REKEY_REQUEST } from '../rekey/http/schemas.ts';
import type { Services } from '../services.ts';
import { type ApiCall, api } from './api.ts';
import { flag } from './flag.ts';

app.http('rekeys', {
  methods: ['GET', 'POST', 'DELETE'],
  route: 'rekeys/{id?}',
  authLevel: 'anonymous',
  handler: api('CmkKey.Read', async (call) => {
    const { request, caller, services } = call;
    const { id } = request.params;
    if (request.method === 'GET') return id === undefined ? listRekeys(services) : showRekey(id, services);
    requireRole(caller, 'Cmk.Operate');
    if (request.method === 'POST' && id === undefined) {
      const dryRun = flag(request.query, 'dryRun');
      const body = await readJsonBody(request, REKEY_REQUEST);
      return orderRekey(body, { ...call, dryRun }, ports(services), call.log);
    }
    if (request.method !== 'DELETE' || id === undefined) throw notAllowed();
    const why = reasonOf(call);
    const others = new URLSearchParams([...request.query].filter(([name]) => name !== 'reason'));
    const what = flag(others, 'keep') ? 'end' : 'takeBack';
    return alterRekey({ id, what, why }, call, ports(services), call.log);
  }),
});

app.http('changeRekey', {
  methods: ['POST'],
  route: 'rekeys/{id}/{change}',
  authLevel: 'anonymous',
  handler: api('Cmk.Operate', async (call) => {
    const { id = '', change } = call.request.params;
    if (change !== 'pause' && change !== 'resume') {
      throw new HttpProblem(404, 'CallRefused', 'There is no such call.', 'POST to …/pause or …/resume.');
    }
    const { reason: why } = await readJsonBody(call.request, REKEY_CHANGE);
    return alterRekey({ id, what: change, why }, call, ports(call.services), call.log);
  }),
});

/** The use-case's own ports: Key Vault's vaults are asked by Azure Resource Manager, the managed ones are settings. */
function ports(services: Services) {
  const { settings, subscriptions } = services;
  const searched = async () => settings.subscriptions ?? (await subscriptions.list());
  return {
    ...services,
    vaults: settings.vaults,
    check: (...keys: [Parameters<typeof checkRekey>[0], Parameters<typeof checkRekey>[1]]) =>
      checkRekey(...keys, { ...services, searched }),
  };
}

function reasonOf({ request }: ApiCall): string {
  const read = REKEY_CHANGE.shape.reason.safeParse(request.query.get('reason') ?? undefined);
  if (read.success) return read.data;
  throw new HttpProblem(
    400,
    'QueryInvalid',
    'The call does not say why.',
    'Add `reason` to the query: 3 to 500 characters.',
  );
}

function notAllowed(): HttpProblem {
  return new HttpProblem(
    405,
    'CallRefused',
    'This is not done there.',
    'POST /api/rekeys, or DELETE /api/rekeys/{id}.',
    {
      headers: { allow: 'GET, POST, DELETE' },
    },
  );
}

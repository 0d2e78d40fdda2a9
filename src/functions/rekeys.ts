import { app } from '@azure/functions';
import { type RouteKey, reachesKey } from '../http/access.ts';
import { readJsonBody } from '../http/json-body.ts';
import { HttpProblem } from '../http/problem.ts';
import type { Role } from '../http/roles.ts';
import { parseKeyIdentifier } from '../keys/key-identifier.ts';
import type { RekeyCall } from '../orders/order-rekey.ts';
import type { Rekey } from '../orders/standing-orders.ts';
import { handleChangeRekey, handleStartRekey, listRekeys, readRekey, showRekey } from '../rekey/rekey-api.ts';
import { REKEY_CHANGE, REKEY_REQUEST } from '../rekey/rekey-schemas.ts';
import { type ApiCall, api } from './api.ts';
import { flag } from './flag.ts';
import { rekeyPorts } from './rekey-ports.ts';

app.http('rekeys', {
  methods: ['GET', 'POST', 'DELETE'],
  route: 'api/rekeys/{id?}',
  authLevel: 'anonymous',
  handler: api(
    'CmkKey.Read',
    async (call) => {
      const { request, services, requireFor } = call;
      const { id } = request.params;
      // First of all: an order that is not there must not look otherwise to a reader than one that is.
      if (request.method !== 'GET') requireFor({ role: 'Cmk.Operate', act: 'change', key: 'later' });
      if (request.method === 'GET') {
        const ports = rekeyPorts(services);
        if (id !== undefined) return showRekey((await inReach(id, 'CmkKey.Read', call)).id, ports);
        return listRekeys((order) => keysOf(order).every((key) => isReached(key, call)), ports);
      }
      if (request.method === 'POST' && id === undefined) return start(call);
      if (request.method !== 'DELETE' || id === undefined) throw notAllowed();
      await inReach(id, 'Cmk.Operate', call);
      const why = reasonOf(call);
      const others = new URLSearchParams([...request.query].filter(([name]) => name !== 'reason'));
      const act = flag(others, 'keep') ? 'end' : 'rollBack';
      return handleChangeRekey({ id, act, why }, callerOf(call), rekeyPorts(services), call.log);
    },
    undefined,
    'later',
  ),
});

app.http('changeRekey', {
  methods: ['POST'],
  route: 'api/rekeys/{id}/{change}',
  authLevel: 'anonymous',
  handler: api(
    'Cmk.Operate',
    async (call) => {
      const { id = '', change } = call.request.params;
      if (change !== 'pause' && change !== 'resume') {
        throw new HttpProblem(404, 'CallRefused', 'There is no such call.', 'POST to …/pause or …/resume.');
      }
      await inReach(id, 'Cmk.Operate', call);
      const { reason: why } = await readJsonBody(call.request, REKEY_CHANGE);
      return handleChangeRekey({ id, act: change, why }, callerOf(call), rekeyPorts(call.services), call.log);
    },
    undefined,
    'later',
  ),
});

async function start(call: ApiCall) {
  const { request, services, log, requireOn } = call;
  const dryRun = flag(request.query, 'dryRun');
  const body = await readJsonBody(request, REKEY_REQUEST);
  for (const name of [body.from, body.to]) {
    const [vault = '', key = ''] = name.split('/');
    requireOn({ vault, key }, 'Cmk.Operate');
  }
  return handleStartRekey(body, { ...callerOf(call), dryRun }, rekeyPorts(services), log);
}

/** As the audit trail names callers. */
function callerOf({ caller, correlationId }: ApiCall): RekeyCall {
  const { objectId, appId, kind, tokenId, name } = caller;
  return { caller: { objectId, appId, kind, tokenId, name }, correlationId };
}

/** The order, if the caller's role reaches both of its keys. @throws {@link HttpProblem} 403, 404, 503 */
async function inReach(id: string, role: Role, { services, requireOn }: ApiCall): Promise<Rekey> {
  const order = await readRekey(id, services);
  for (const key of keysOf(order)) requireOn(key, role);
  return order;
}

function keysOf({ from, to }: Rekey): RouteKey[] {
  return [from, to].flatMap((key) => {
    const { vaultName, keyName } = parseKeyIdentifier(key) ?? {};
    return vaultName && keyName ? [{ vault: vaultName, key: keyName }] : [];
  });
}

function isReached(key: RouteKey, { caller, services }: ApiCall): boolean {
  return reachesKey(caller, 'CmkKey.Read', key, services.settings.access);
}

function reasonOf({ request }: ApiCall): string {
  const read = REKEY_CHANGE.shape.reason.safeParse(request.query.get('reason') ?? undefined);
  if (read.success) return read.data;
  const nextStep = 'Add `reason` to the query: 3 to 500 characters that can be read.';
  throw new HttpProblem(400, 'QueryInvalid', 'The call does not say why.', nextStep);
}

function notAllowed(): HttpProblem {
  const nextStep = 'POST /api/rekeys, or DELETE /api/rekeys/{id}.';
  return new HttpProblem(405, 'CallRefused', 'This is not done there.', nextStep, {
    headers: { allow: 'GET, POST, DELETE' },
  });
}

import type { HttpResponseInit } from '@azure/functions';
import type { z } from 'zod';
import { describe, describeFailure } from '../../azure/failure.ts';
import { CmkError } from '../../errors.ts';
import type { RekeyOrder, RekeyStore } from '../../fleet/rekey-order.ts';
import { jsonResponse } from '../../http/json-response.ts';
import { HttpProblem } from '../../http/problem.ts';
import type { Keys } from '../../keys/key-client.ts';
import { type ManagedKey, type ManagedVaults, managedKey } from '../../keys/managed-vaults.ts';
import type { Log } from '../../log.ts';
import { REASONS } from '../../reasons.ts';
import { changeRekey, type RekeyChange } from '../control-rekey.ts';
import { type ProgressServices, progressOf } from '../progress.ts';
import type { RekeyCheck } from '../rekey-check.ts';
import { MAX_FAILURES, type RekeyCall, type RekeyRequest, type StartServices, startRekey } from '../start-rekey.ts';
import type { REKEY_REQUEST } from './schemas.ts';

type ReadServices = ProgressServices & { readonly rekeys: RekeyStore };

type RekeyApiServices = StartServices & { readonly vaults: ManagedVaults };

/** @param isSeen whether the caller's role reaches both keys */
export async function listRekeys(
  isSeen: (order: RekeyOrder) => boolean,
  { rekeys }: ReadServices,
): Promise<HttpResponseInit> {
  const orders = (await fromStorage(() => rekeys.orders())).filter(isSeen);
  const newest = orders.sort((a, b) => (a.startedOn < b.startedOn ? 1 : -1));
  return jsonResponse(200, { value: newest.map(shown) });
}

/** @throws {@link HttpProblem} 404, 503 */
export async function rekeyOrdered(id: string, { rekeys }: Pick<ReadServices, 'rekeys'>): Promise<RekeyOrder> {
  const order = await fromStorage(() => rekeys.order(id));
  if (order) return order;
  throw new HttpProblem(404, 'RekeyNotFound', REASONS.RekeyNotFound, 'GET /api/rekeys names those there are.');
}

export async function showRekey(order: RekeyOrder, services: ReadServices, status = 200): Promise<HttpResponseInit> {
  const progress = await fromStorage(() => progressOf(order, services));
  return jsonResponse(status, { order: shown(order), progress });
}

/** Starts one; with `dryRun` only says what stands in the way. */
export async function orderRekey(
  body: z.output<typeof REKEY_REQUEST>,
  call: RekeyCall & { readonly dryRun: boolean },
  services: RekeyApiServices,
  log: Log,
): Promise<HttpResponseInit> {
  const { reason, ticket, maxFailures = MAX_FAILURES } = body;
  const request = {
    from: keyByPath(body.from, services.vaults),
    to: keyByPath(body.to, services.vaults),
    reason,
    ticket,
  };
  const { from, to } = request;
  if (call.dryRun) return jsonResponse(200, await fromStorage(() => services.check(from, to)));
  return jsonResponse(201, await startFit({ ...request, maxFailures }, call, services, log));
}

/** Starts what nothing stands in the way of. @throws {@link HttpProblem} 409 with what does */
async function startFit(
  request: RekeyRequest,
  call: RekeyCall,
  services: StartServices,
  log: Log,
): Promise<{ readonly check: RekeyCheck; readonly order: unknown }> {
  const { check, order } = await fromStorage(() => startRekey(request, call, services, log));
  if (!order) throw unfit(check);
  return { check, order: shown(order) };
}

function unfit(check: RekeyCheck): HttpProblem {
  const detail = check.problems.map((problem) => problem.detail).join(' ');
  const nextStep = 'See to what "check" names, each with its fix, and start it again.';
  return new HttpProblem(409, 'RekeyUnfit', detail, nextStep, { extensions: { check } });
}

export async function alterRekey(
  { id, what, why }: { readonly id: string; readonly what: RekeyChange; readonly why: string },
  call: RekeyCall,
  services: StartServices & ReadServices & { readonly keys: Keys; readonly vaults: ManagedVaults },
  log: Log,
): Promise<HttpResponseInit> {
  const order = await fromStorage(() => changeRekey(id, what, why, call, services, log));
  return showRekey(order, services, what === 'takeBack' || what === 'end' ? 202 : 200);
}

/** Without what the app keeps for its own steps. */
function shown({ etag: _etag, tick: _tick, tickedOn: _tickedOn, wave: _wave, ...order }: RekeyOrder) {
  const { change: _change, unrecorded: _unrecorded, lateOnto: _lateOnto, ...told } = order;
  return told;
}

/** @throws {@link HttpProblem} 404 */
function keyByPath(text: string, vaults: ManagedVaults): ManagedKey {
  const [vaultName = '', name = ''] = text.split('/');
  const vault = vaults.byName(vaultName);
  if (vault) return managedKey(vault, name);
  throw new HttpProblem(
    404,
    'KeyNotManaged',
    REASONS.KeyNotManaged,
    'Check the names of vault and key; the vault has to be one of CMK_VAULTS.',
  );
}

const STATUS: Readonly<Partial<Record<CmkError['reason'], number>>> = {
  RekeyNotFound: 404,
  VaultNotManaged: 404,
  AuditFailed: 503,
  RekeysUnreadable: 503,
  ServiceUnavailable: 503,
  VaultUnreadable: 502,
};

async function fromStorage<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof HttpProblem) throw error;
    if (error instanceof CmkError) {
      const { reason, message, nextStep } = error;
      throw new HttpProblem(STATUS[reason] ?? 409, reason, message, nextStep, { cause: error });
    }
    throw new HttpProblem(
      503,
      'ServiceUnavailable',
      `Something that the call needs cannot be read or written: ${describe(describeFailure(error))}`,
      'Repeat the call in a minute; GET /api/rekeys shows whether it took effect.',
      { cause: error },
    );
  }
}

import type { HttpResponseInit } from '@azure/functions';
import type { z } from 'zod';
import { describe, describeFailure } from '../../azure/failure.ts';
import { CmkError } from '../../errors.ts';
import type { FleetIndex } from '../../fleet/fleet-index.ts';
import type { RekeyOrder, RekeyStore } from '../../fleet/rekey-order.ts';
import { jsonResponse } from '../../http/json-response.ts';
import { HttpProblem } from '../../http/problem.ts';
import type { Keys } from '../../keys/key-client.ts';
import { type ManagedKey, type ManagedVaults, managedKey } from '../../keys/managed-vaults.ts';
import type { Log } from '../../log.ts';
import { REASONS } from '../../reasons.ts';
import { changeRekey, type RekeyChange } from '../control-rekey.ts';
import { progressOf } from '../progress.ts';
import { MAX_FAILURES, type RekeyCall, type StartServices, startRekey } from '../start-rekey.ts';
import type { REKEY_REQUEST } from './schemas.ts';

type ReadServices = {
  readonly rekeys: RekeyStore;
  readonly fleet: Pick<FleetIndex, 'uses'>;
};

export async function listRekeys({ rekeys }: ReadServices): Promise<HttpResponseInit> {
  const orders = await fromStorage(() => rekeys.orders());
  const newest = [...orders].sort((a, b) => (a.startedOn < b.startedOn ? 1 : -1));
  return jsonResponse(200, { value: newest.map(shown) });
}

export async function showRekey(id: string, services: ReadServices, status = 200): Promise<HttpResponseInit> {
  const order = await fromStorage(() => services.rekeys.order(id));
  if (!order)
    throw new HttpProblem(404, 'RekeyNotFound', REASONS.RekeyNotFound, 'GET /api/rekeys names those there are.');
  const progress = await fromStorage(() => progressOf(order, services));
  return jsonResponse(status, { order: shown(order), progress });
}

/** Starts one, or with `dryRun` only says what stands in the way. */
export async function orderRekey(
  body: z.output<typeof REKEY_REQUEST>,
  call: RekeyCall & { readonly dryRun: boolean },
  services: StartServices & { readonly vaults: ManagedVaults },
  log: Log,
): Promise<HttpResponseInit> {
  const from = keyNamed(body.from, services.vaults);
  const to = keyNamed(body.to, services.vaults);
  if (call.dryRun) return jsonResponse(200, await fromStorage(() => services.check(from, to)));
  const { reason, ticket, maxFailures = MAX_FAILURES } = body;
  const request = { from, to, reason, ticket, maxFailures };
  const { check, order } = await fromStorage(() => startRekey(request, call, services, log));
  if (order) return jsonResponse(202, { check, order: shown(order) });
  const detail = check.problems.map((problem) => problem.detail).join(' ');
  throw new HttpProblem(
    409,
    'RekeyUnfit',
    detail,
    'See to what "check" names, each with its fix, and start it again.',
    {
      extensions: { check },
    },
  );
}

export async function alterRekey(
  { id, what, why }: { readonly id: string; readonly what: RekeyChange; readonly why: string },
  call: RekeyCall,
  services: StartServices & ReadServices & { readonly keys: Keys; readonly vaults: ManagedVaults },
  log: Log,
): Promise<HttpResponseInit> {
  await fromStorage(() => changeRekey(id, what, why, call, services, log));
  return showRekey(id, services, what === 'takeBack' || what === 'end' ? 202 : 200);
}

/** Without what the app keeps for its own steps. */
function shown({ etag: _etag, tick: _tick, tickedOn: _tickedOn, wave: _wave, ...order }: RekeyOrder) {
  return order;
}

function keyNamed(text: string, vaults: ManagedVaults): ManagedKey {
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

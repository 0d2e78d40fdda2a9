import type { HttpResponseInit } from '@azure/functions';
import type { z } from 'zod';
import { describe, describeFailure } from '../azure/failure.ts';
import { CmkError } from '../errors.ts';
import { jsonResponse } from '../http/json-response.ts';
import { HttpProblem } from '../http/problem.ts';
import { type ManagedKey, type ManagedVaults, managedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import {
  changeRekey,
  MAX_FAILURES,
  type RekeyAct,
  type RekeyCall,
  type RekeyOrderPorts,
  startRekey,
} from '../orders/order-rekey.ts';
import type { Rekey, StandingOrders } from '../orders/standing-orders.ts';
import { REASONS } from '../reasons.ts';
import type { RekeyCheck } from './rekey-problems.ts';
import type { REKEY_REQUEST } from './rekey-schemas.ts';
import { rekeyStatus, requireRollback, type StatusPorts } from './rekey-status.ts';

export type RekeyApiPorts = RekeyOrderPorts &
  StatusPorts & {
    readonly vaults: ManagedVaults;
    /** Finds what blocks a re-key. */
    readonly check: (from: ManagedKey, to: ManagedKey) => Promise<RekeyCheck>;
  };

/** Newest first. @param isSeen whether the caller's role reaches both keys */
export async function listRekeys(isSeen: (rekey: Rekey) => boolean, ports: RekeyApiPorts): Promise<HttpResponseInit> {
  const { rekeys } = await orProblem(() => ports.orderStore.read());
  return jsonResponse(200, { value: rekeys.filter(isSeen).toReversed() });
}

/** @throws {@link HttpProblem} 404, 503 */
export async function readRekey(id: string, ports: Pick<RekeyApiPorts, 'orderStore'>): Promise<Rekey> {
  return orderIn(await orProblem(() => ports.orderStore.read()), id);
}

export async function showRekey(id: string, ports: RekeyApiPorts, status = 200): Promise<HttpResponseInit> {
  const orders = await orProblem(() => ports.orderStore.read());
  return jsonResponse(status, await orProblem(() => rekeyStatus(orderIn(orders, id), orders, ports)));
}

/** Starts a re-key; with `dryRun` it is only checked. @throws {@link HttpProblem} 409 with the problems that block it */
export async function handleStartRekey(
  body: z.output<typeof REKEY_REQUEST>,
  call: RekeyCall & { readonly dryRun: boolean },
  ports: RekeyApiPorts,
  log: Log,
): Promise<HttpResponseInit> {
  const { reason, ticket, maxFailures = MAX_FAILURES } = body;
  const [from, to] = [keyByPath(body.from, ports.vaults), keyByPath(body.to, ports.vaults)];
  const check = await orProblem(() => ports.check(from, to));
  if (call.dryRun) return jsonResponse(200, check);
  if (check.problems.length > 0) {
    const detail = check.problems.map((problem) => problem.detail).join(' ');
    const nextStep = 'See to what "check" names, each with its fix, and start it again.';
    throw new HttpProblem(409, 'RekeyUnfit', detail, nextStep, { extensions: { check } });
  }
  const request = { from: from.id, to: to.id, reason, ticket, maxFailures };
  const order = await orProblem(() => startRekey(request, call, ports, log));
  return jsonResponse(201, { check, order });
}

export async function handleChangeRekey(
  { id, act, why }: { readonly id: string; readonly act: RekeyAct; readonly why: string },
  call: RekeyCall,
  ports: RekeyApiPorts,
  log: Log,
): Promise<HttpResponseInit> {
  if (act === 'rollBack') {
    const order = await readRekey(id, ports);
    await orProblem(() => requireRollback(order, ports));
  }
  const changed = await orProblem(() => changeRekey(id, act, why, call, ports, log));
  return showRekey(changed.id, ports, act === 'rollBack' || act === 'end' ? 202 : 200);
}

function orderIn({ rekeys }: StandingOrders, id: string): Rekey {
  const order = rekeys.find((rekey) => rekey.id === id);
  if (order) return order;
  throw new HttpProblem(404, 'RekeyNotFound', REASONS.RekeyNotFound, 'GET /api/rekeys names those there are.');
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
  PauseUnreadable: 503,
  ServiceUnavailable: 503,
  VaultUnreadable: 502,
};

/** Runs it, and turns its error into the problem that the API answers. @throws {@link HttpProblem} */
async function orProblem<T>(run: () => Promise<T>): Promise<T> {
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

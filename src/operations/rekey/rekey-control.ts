import { randomUUID } from 'node:crypto';
import { CmkError } from '../../errors.ts';
import type { RekeyOrder } from '../../fleet/rekey-order.ts';
import { ManagedVaults } from '../../keys/managed-vaults.ts';
import { REASONS } from '../../reasons.ts';
import { changeRekey, type RekeyChange } from '../../rekey/control-rekey.ts';
import { progressOf, type RekeyProgress } from '../../rekey/progress.ts';
import { callerOf } from '../key/app-record.ts';
import { NO_LOG } from '../key/key-revoke.ts';
import type { Operation } from '../operator-azure.ts';
import { keyByName } from '../resolve.ts';
import type { AppRekeys } from './app-rekeys.ts';

export interface RekeyStatus {
  readonly order: RekeyOrder;
  readonly progress: RekeyProgress;
}

/** The re-key of that id; without one, all that there were, newest first. */
export async function rekeyStatus(id: string | undefined, app: AppRekeys): Promise<readonly RekeyStatus[]> {
  const orders = id === undefined ? [...(await app.rekeys.orders())] : [await found(id, app)];
  orders.sort((a, b) => (a.startedOn < b.startedOn ? 1 : -1));
  const all: RekeyStatus[] = [];
  for (const order of orders) all.push({ order, progress: await progressOf(order, app) });
  return all;
}

/** Pauses, resumes, takes back or ends a re-key, as the app's API does. */
export async function changeRekeyAsOperator(
  { id, what, why }: { readonly id: string; readonly what: RekeyChange; readonly why: string },
  app: AppRekeys,
  { azure, journal }: Operation,
): Promise<RekeyStatus> {
  const order = await found(id, app);
  const vaults = new ManagedVaults([order.from, order.to].map((key) => keyByName(key, undefined, azure.cloud).vault));
  const call = { caller: callerOf(await azure.operator()), correlationId: randomUUID() };
  const services = { ...app, keys: azure.keys, vaults, now: azure.now };
  const changed = await journal.change(`re-key ${id}: ${what}`, () =>
    changeRekey(id, what, why, call, services, NO_LOG),
  );
  const now = changed ?? order;
  return { order: now, progress: await progressOf(now, app) };
}

async function found(id: string, { rekeys }: AppRekeys): Promise<RekeyOrder> {
  const order = await rekeys.order(id);
  if (order) return order;
  throw new CmkError('RekeyNotFound', REASONS.RekeyNotFound, 'See those there are: cmk rekey status');
}

import { CmkError } from '../../errors.ts';
import type { RekeyOrder } from '../../fleet/rekey-order.ts';
import { ManagedVaults } from '../../keys/managed-vaults.ts';
import { REASONS } from '../../reasons.ts';
import { changeRekey, type RekeyChange } from '../../rekey/control-rekey.ts';
import { progressOf, type RekeyProgress } from '../../rekey/progress.ts';
import { callBy } from '../key/app-record.ts';
import { NO_LOG } from '../key/key-revoke.ts';
import type { Operation } from '../operator-azure.ts';
import { keyByName } from '../resolve.ts';
import type { AppRekeys } from './app-rekeys.ts';

export interface RekeyStatus {
  readonly order: RekeyOrder;
  readonly progress: RekeyProgress;
}

const SAID: Readonly<Record<RekeyChange, string>> = {
  pause: 'paused',
  resume: 'resumed',
  takeBack: 'taken back',
  end: 'ended as it is',
};

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
  const call = callBy(await azure.operator());
  const services = { ...app, keys: azure.keys, vaults, now: azure.now };
  const change = { text: `re-key ${id}: ${SAID[what]}`, action: 'key.rekey', resource: order.from } as const;
  if (journal.dryRun) {
    journal.planned(change);
    return { order, progress: await progressOf(order, app) };
  }
  const changed = await changeRekey(id, what, why, call, services, NO_LOG);
  // The use-case has written it into the audit trail.
  journal.done(change);
  return { order: changed, progress: await progressOf(changed, app) };
}

async function found(id: string, { rekeys }: AppRekeys): Promise<RekeyOrder> {
  const order = await rekeys.order(id);
  if (order) return order;
  throw new CmkError('RekeyNotFound', REASONS.RekeyNotFound, 'See those there are: cmk rekey status');
}

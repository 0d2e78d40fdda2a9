import { CmkError } from '../../errors.ts';
import { ManagedVaults } from '../../keys/managed-vaults.ts';
import { changeRekey, type RekeyAct } from '../../orders/order-rekey.ts';
import type { Rekey, StandingOrders } from '../../orders/standing-orders.ts';
import { REASONS } from '../../reasons.ts';
import { type RekeyStatus, rekeyStatus, requireRollback } from '../../rekey/rekey-status.ts';
import { callBy } from '../key/app-record.ts';
import { NO_LOG } from '../key/key-revoke.ts';
import type { Azure, Operation } from '../operator-azure.ts';
import { keyByName } from '../resolve.ts';
import type { AppRekeys } from './app-rekeys.ts';

const DONE: Readonly<Record<RekeyAct, string>> = {
  pause: 'paused',
  resume: 'resumed',
  rollBack: 'taken back',
  end: 'ended as it is',
};

/** The re-key of that id; without one, all that there were, newest first. */
export async function rekeyStatuses(
  id: string | undefined,
  app: AppRekeys,
  azure: Azure,
): Promise<readonly RekeyStatus[]> {
  const orders = await app.orderStore.read();
  const rekeys = id === undefined ? orders.rekeys.toReversed() : [found(orders, id)];
  const all: RekeyStatus[] = [];
  for (const rekey of rekeys) all.push(await rekeyStatus(rekey, orders, portsOf(rekey, app, azure)));
  return all;
}

/** Pauses, resumes, takes back or ends a re-key, as the app's API does. */
export async function changeRekeyAsOperator(
  { id, act, why }: { readonly id: string; readonly act: RekeyAct; readonly why: string },
  app: AppRekeys,
  { azure, journal }: Operation,
): Promise<RekeyStatus> {
  const order = found(await app.orderStore.read(), id);
  const ports = portsOf(order, app, azure);
  if (act === 'rollBack') await requireRollback(order, ports);
  const change = { text: `re-key ${id}: ${DONE[act]}`, action: 'key.rekey', resource: order.from } as const;
  if (journal.dryRun) {
    journal.planned(change);
    return rekeyStatus(order, await app.orderStore.read(), ports);
  }
  const changed = await changeRekey(id, act, why, callBy(await azure.operator()), ports, NO_LOG);
  // The use-case has written it into the audit trail.
  journal.done(change);
  return rekeyStatus(changed, await app.orderStore.read(), ports);
}

function portsOf({ from, to }: Rekey, app: AppRekeys, { keys, cloud, now }: Azure) {
  const vaults = new ManagedVaults([from, to].map((key) => keyByName(key, undefined, cloud).vault));
  return { ...app, keys, vaults, now };
}

function found({ rekeys }: StandingOrders, id: string): Rekey {
  const order = rekeys.find((rekey) => rekey.id === id);
  if (order) return order;
  throw new CmkError('RekeyNotFound', REASONS.RekeyNotFound, 'See those there are: cmk rekey list');
}

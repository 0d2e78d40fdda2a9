import { CmkError } from '../errors.ts';
import { conflictsOf, isEnded, type RekeyData, type RekeyOrder } from '../fleet/rekey-order.ts';
import type { Keys } from '../keys/key-client.ts';
import type { ManagedVaults } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { obstacleOf } from './obstacle.ts';
import { type ControlServices, personOf, type RekeyCall, record, sendStep } from './start-rekey.ts';

export type RekeyChange = 'pause' | 'resume' | 'takeBack' | 'end';

/** Somebody else changes the order at the same moment: it is read anew so often. */
const TRIES = 5;

const SAID = {
  pause: 'RekeyPaused',
  resume: 'RekeyResumed',
  takeBack: 'RekeyTakingBack',
  end: 'RekeyEnded',
} as const;

/**
 * Pauses, resumes, takes back or ends an order. What is under way at this moment may still be done.
 *
 * @throws {@link CmkError} `RekeyNotFound`, `RekeyNotPossible`, `RekeyConflict`, and what keeps the accounts from going back
 */
export async function changeRekey(
  id: string,
  what: RekeyChange,
  why: string,
  call: RekeyCall,
  services: ControlServices & { readonly keys: Keys; readonly vaults: ManagedVaults },
  log: Log,
): Promise<RekeyOrder> {
  for (let n = 0; n < TRIES; n += 1) {
    const order = await services.rekeys.order(id);
    if (!order) throw new CmkError('RekeyNotFound', REASONS.RekeyNotFound, 'Look at the re-keys there are.');
    if (what === 'takeBack') await mayGoBack(order, services);
    const wanted = changedBy(order, what, why, call, services.now());
    const changed = (await services.rekeys.replace(wanted)) ?? (await asWanted(wanted, services.rekeys));
    if (!changed) continue;
    const reason = SAID[what];
    await record(changed, reason, why, call, services, log);
    log({ level: 'warning', reason, message: `${REASONS[reason]} ${why}`, rekey: id, key: order.from });
    if (what === 'resume' || what === 'takeBack') await sendStep(changed, services);
    return changed;
  }
  throw new CmkError('RekeyChanged', REASONS.RekeyChanged, 'Look at the re-key, and repeat the call if it is needed.');
}

/** The order, if it was changed as it should be: the answer to that was lost, and the client asked again. */
async function asWanted(wanted: RekeyOrder, rekeys: ControlServices['rekeys']): Promise<RekeyOrder | undefined> {
  const order = await rekeys.order(wanted.id);
  const when = (one: RekeyOrder) => [one.state, one.paused?.on, one.resumedOn, one.endedOn].join();
  return order && when(order) === when(wanted) ? order : undefined;
}

/**
 * The order as it is changed; steps that are under way are overtaken.
 *
 * @throws {@link CmkError} `RekeyNotPossible`
 */
export function changedBy(order: RekeyOrder, what: RekeyChange, why: string, call: RekeyCall, now: Date): RekeyOrder {
  const { paused: _, waits: _waits, wave: _wave, verified: _verified, endedOn: _endedOn, ...rest } = order;
  const on = now.toISOString();
  const next = { ...rest, tick: order.tick + 1, tickedOn: on };
  const stands = order.state === 'moving' || order.state === 'takingBack';
  switch (what) {
    case 'pause':
      if (stands && !order.paused?.by) return { ...next, paused: { on, why, by: personOf(call) } };
      throw notPossible(order, 'pause');
    case 'resume':
      if (stands && order.paused) return { ...next, resumedOn: on };
      throw notPossible(order, 'resume');
    case 'takeBack':
      if (order.state === 'moving' || order.state === 'done') return { ...next, state: 'takingBack', resumedOn: on };
      throw notPossible(order, 'take back');
    case 'end':
      if (stands) return { ...next, state: 'ended', endedOn: on };
      throw notPossible(order, 'end');
  }
}

function notPossible({ id, state, paused }: RekeyData, what: string): CmkError {
  const is = paused ? `${state}, and paused` : state;
  return new CmkError(
    'RekeyNotPossible',
    `The re-key ${id} is ${is}: there is nothing to ${what}.`,
    'Look at it again.',
  );
}

/** Back is a move like any other: onto a key that can be used, and off one that is not revoked. */
async function mayGoBack(
  order: RekeyOrder,
  services: ControlServices & { readonly keys: Keys; readonly vaults: ManagedVaults },
): Promise<void> {
  const [from, to] = [services.vaults.key(order.to), services.vaults.key(order.from)];
  if (!from || !to)
    throw new CmkError('VaultNotManaged', REASONS.VaultNotManaged, 'Add its vault to CMK_VAULTS again.');
  const obstacle = await obstacleOf(from, to, services);
  if (obstacle) {
    const nextStep = 'Make it so that the old key can be used and neither is revoked, or end the re-key as it is.';
    throw new CmkError(obstacle.reason, obstacle.detail, nextStep);
  }
  if (!isEnded(order)) return;
  const others = conflictsOf(order, await services.rekeys.orders(), services.now());
  if (others.length === 0) return;
  const which = others.map(({ id }) => id).join(', ');
  throw new CmkError('RekeyConflict', `${REASONS.RekeyConflict} It is ${which}.`, 'Let that one end first.');
}

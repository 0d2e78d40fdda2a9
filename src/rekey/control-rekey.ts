import { CmkError } from '../errors.ts';
import { changeOrder, isEnded, type RekeyData, type RekeyOrder, withChange } from '../fleet/rekey-order.ts';
import type { Keys } from '../keys/key-client.ts';
import type { ManagedVaults } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { standWithKeys } from './hold-keys.ts';
import { obstacleOf } from './obstacle.ts';
import { isFull, recordChanges } from './record-changes.ts';
import {
  type ControlServices,
  IF_KILLED_SECONDS,
  personOf,
  type RekeyCall,
  recordedCall,
  sendStep,
} from './start-rekey.ts';

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
    await sendAhead(wanted, goesOn(what), services);
    const changed = isEnded(order) ? await standWithKeys(wanted, services) : await changeOrder(wanted, services.rekeys);
    if (!changed) continue;
    const recorded = await recordChanges(changed, services, log, wanted.change);
    const reason = SAID[what];
    log({ level: 'warning', reason, message: `${REASONS[reason]} ${why}`, rekey: id, key: order.from });
    if (goesOn(what)) await sendStep(recorded, services);
    return recorded;
  }
  throw new CmkError('RekeyChanged', REASONS.RekeyChanged, 'Look at the re-key, and repeat the call if it is needed.');
}

/** Whether there are steps to be made by it. */
function goesOn(what: RekeyChange): boolean {
  return what === 'resume' || what === 'takeBack';
}

/** A queue that is down keeps nothing from being stopped: what is not recorded then, a drift check finds. */
async function sendAhead(order: RekeyOrder, isNeeded: boolean, services: ControlServices): Promise<void> {
  try {
    await sendStep(order, services, IF_KILLED_SECONDS);
  } catch (error) {
    if (isNeeded) throw error;
  }
}

/**
 * The order as it is changed; steps that are under way are overtaken.
 *
 * @throws {@link CmkError} `RekeyNotPossible`
 */
export function changedBy(order: RekeyOrder, what: RekeyChange, why: string, call: RekeyCall, now: Date): RekeyOrder {
  const { paused: _, waits: _waits, wave: _wave, verified: _verified, endedOn: _endedOn, ...rest } = order;
  const on = now.toISOString();
  const stands = order.state === 'moving' || order.state === 'takingBack';
  const said = { reason: SAID[what], on, why, ...recordedCall(call) };
  const next = withChange({ ...rest, tick: order.tick + 1, tickedOn: on }, said);
  // What stops it is done all the same: it takes one of the others to stop it once more.
  if (goesOn(what) && isFull(order)) throw notRecorded(order);
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
      if (stands)
        return { ...next, state: 'ended', endedOn: on, lateOnto: order.state === 'moving' ? order.to : order.from };
      throw notPossible(order, 'end');
  }
}

function notRecorded({ id }: RekeyData): CmkError {
  return new CmkError(
    'AuditFailed',
    `The audit trail has none of the last changes of the re-key ${id}; no more are made.`,
    'See to it that the app can write its audit trail.',
  );
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
    const nextStep =
      'Make it so that both keys are there and can be read, the old one can be used and neither is revoked; or end the re-key as it is.';
    throw new CmkError(obstacle.reason, obstacle.detail, nextStep);
  }
}

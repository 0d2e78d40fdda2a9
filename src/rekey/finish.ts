import type { RecordAudit } from '../audit/audit-trail.ts';
import { changeOrder, type RekeyOrder, type RekeyStore, withChange } from '../fleet/rekey-order.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { KEY_WORK } from '../work/messages.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import { recordChanges } from './record-changes.ts';
import { causeOf } from './start-rekey.ts';

/**
 * Ends an order. Whatever has moved is looked at on its new key first: a version that was made meanwhile may have found only a
 * part of them.
 *
 * @returns the order as it has ended; undefined: it was changed meanwhile, and stands
 */
export async function finishRekey(
  order: RekeyOrder,
  { back, to, outOfSight }: { readonly back: boolean; readonly to: ManagedKey; readonly outOfSight: readonly string[] },
  services: {
    readonly rekeys: RekeyStore;
    readonly queue: WorkQueue;
    readonly audit: RecordAudit;
    readonly now: () => Date;
  },
  log: Log,
): Promise<RekeyOrder | undefined> {
  const { rekeys, queue, now } = services;
  const reason = back ? 'RekeyTakenBack' : 'RekeyDone';
  await queue.send(KEY_WORK, { kind: 'key', key: to.id, cause: causeOf(order, now()), attempt: 0 });
  const endedOn = now().toISOString();
  const { waits: _waits, wave: _wave, ...rest } = order;
  const ended: RekeyOrder = { ...rest, state: back ? 'takenBack' : 'done', tick: order.tick + 1, endedOn };
  const verified = back ? {} : { verified: { on: endedOn, gaps: [...outOfSight] } };
  const written = await changeOrder(withChange({ ...ended, ...verified }, { reason, on: endedOn }), rekeys);
  if (!written) return undefined;
  const about = { rekey: order.id, from: order.from, to: order.to, key: order.from };
  log({ level: 'info', reason, message: REASONS[reason], ...about });
  return recordChanges(written, services, log, written.change);
}

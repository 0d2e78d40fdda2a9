import type { RecordAudit } from '../audit/audit-trail.ts';
import type { RekeyOrder, RekeyStore } from '../fleet/rekey-order.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { KEY_WORK } from '../work/messages.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import { causeOf } from './start-rekey.ts';

/** The end waits so long for the audit trail. Milliseconds. */
const AUDIT_WAIT_MS = 10_000;
/** Clocks differ by so much. Milliseconds. */
const SKEW_MS = 5 * 60_000;

/**
 * Ends an order: recorded first, as whoever is killed before the order says so ends it anew, and the record is there once.
 * Whatever has moved is looked at on its new key: a version that was made meanwhile may have found only a part of them.
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
): Promise<void> {
  const { rekeys, queue, audit, now } = services;
  const reason = back ? 'RekeyTakenBack' : 'RekeyDone';
  const about = { rekey: order.id, from: order.from, to: order.to };
  const entry = {
    id: `key.rekey/${order.id}/${reason}`,
    action: 'key.rekey',
    reason,
    resource: order.from,
    details: { ...about, startedOn: order.startedOn },
  };
  const recorded = await audit(entry, AUDIT_WAIT_MS, new Date(Date.parse(order.tickedOn) - SKEW_MS));
  if ('failed' in recorded) log({ level: 'error', reason: 'AuditFailed', message: recorded.failed, entry });
  await queue.send(KEY_WORK, { kind: 'key', key: to.id, cause: causeOf(order, now()), attempt: 0 });
  const endedOn = now().toISOString();
  const { waits: _waits, wave: _wave, ...rest } = order;
  const ended: RekeyOrder = { ...rest, state: back ? 'takenBack' : 'done', tick: order.tick + 1, endedOn };
  const written = await rekeys.replace(back ? ended : { ...ended, verified: { on: endedOn, gaps: [...outOfSight] } });
  if (written) log({ level: 'info', reason, message: REASONS[reason], ...about, key: order.from });
}

import type { Dependent } from '../accounts/dependent.ts';
import { type Rows, unsettled } from '../accounts/rekey-rows.ts';
import { notMoved } from '../accounts/rekey-task.ts';
import type { Rollout } from '../accounts/rollout.ts';
import type { RecordAudit } from '../audit/audit-trail.ts';
import type { Turns } from '../azure/turns.ts';
import {
  changeOrder,
  type RekeyOrder,
  type RekeyStore,
  type RekeyWay,
  stoppedBy,
  wayOf,
} from '../fleet/rekey-order.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
import type { Leases } from '../work/lease-client.ts';
import { KEY_WORK, type RekeyWork } from '../work/messages.ts';
import { DONE, type Outcome, outcomeOfFailure } from '../work/outcome.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import { type FindLeftServices, neverAsked, stillOn, verifyUnused } from './find-left.ts';
import { finishRekey } from './finish.ts';
import { obstacleOf } from './obstacle.ts';
import { recordChanges } from './record-changes.ts';
import { sendAccounts } from './send-accounts.ts';
import { toAskOf, underWay } from './under-way.ts';
import { type NextStep, nextWave, secondsToLook, WAITS_SECONDS } from './waves.ts';

export type RekeyServices = FindLeftServices & {
  readonly rekeys: RekeyStore;
  readonly rollout: Pick<Rollout, 'paused'>;
  readonly leases: Leases;
  readonly queue: WorkQueue;
  readonly schedule: Turns;
  readonly audit: RecordAudit;
};

/** What is kept of what could not be read, so many of so many characters: a property of Table Storage holds 32,768. */
const MOST_GAPS = 50;
const LONGEST_GAP = 300;

const HELD: Outcome = {
  outcome: 'retry',
  reason: 'Busy',
  detail: 'Not counted as a try.',
  counts: false,
  delaySeconds: 5,
};

const UNRECORDED: Outcome = {
  outcome: 'retry',
  reason: 'AuditFailed',
  detail: 'What was done to a re-key is not recorded yet.',
  counts: false,
  delaySeconds: 60,
};

/**
 * One step of a re-key: reads the order, looks what is left, and sends the next wave of accounts to be moved; the accounts
 * themselves are moved by `reconcileAccount`, as ever. It decides by what it reads, and writes nothing but the order, so
 * that it can be killed, doubled and run again at any point. Then it sends itself on to the next step. What was done to the
 * order, and whoever did it was killed before it was recorded, it records first, also where nothing is left to be moved.
 */
export async function carryOutRekey(work: RekeyWork, services: RekeyServices, log: Log): Promise<Outcome> {
  const { rekeys, leases } = services;
  try {
    const before = await rekeys.order(work.order);
    if (!before || !(before.unrecorded || due(before, work))) return DONE;
    // Doubles of one step do not send twice what it sends.
    const lease = await leases.acquire(`rekey/${work.order}`);
    if (!lease) return HELD;
    try {
      const found = await rekeys.order(work.order);
      const order = found && (await recordChanges(found, services, log));
      if (!order || !due(order, work)) return isRecorded(order);
      // Before anything is sent: a step that cannot be written down would send all of it again at each try.
      const begun = await rekeys.replace({ ...order, tickedOn: services.now().toISOString() });
      const standing = begun ?? (await rekeys.order(order.id));
      const way = standing && due(standing, work);
      return way ? await step(way, work, services, log) : isRecorded(standing);
    } finally {
      await lease.release();
    }
  } catch (error) {
    return outcomeOfFailure(error);
  }
}

/** Of an order that makes no more steps: nobody else comes to record it. */
function isRecorded(order: RekeyOrder | undefined): Outcome {
  return order?.unrecorded ? UNRECORDED : DONE;
}

/** The way it moves; undefined: it does not, or this step was made already. */
function due(order: RekeyOrder, work: RekeyWork): RekeyWay | undefined {
  // A step is sent at most one ahead of what is written down.
  return order.tick <= work.tick && work.tick <= order.tick + 1 ? wayOf(order) : undefined;
}

async function step(way: RekeyWay, work: RekeyWork, services: RekeyServices, log: Log): Promise<Outcome> {
  const from = services.settings.vaults.key(way.from);
  const to = services.settings.vaults.key(way.to);
  if (!from || !to) {
    const detail = `${from ? way.to : way.from} is in no managed vault.`;
    return goOn(way.order, work, waitFor({ reason: 'VaultNotManaged', detail }), services, log);
  }
  const hold = await holdOf({ from, to }, services, log);
  if (hold) return goOn(way.order, work, withWave(hold, way.order, services.now()), services, log);

  const rows = await unsettled(way.order, services);
  // Whoever failed last may not have got to say so: the order was changed at the same moment.
  const failed = rows.stopping.size;
  if (failed >= way.order.maxFailures) return stop(way.order, notMoved(failed), services, log);
  const waiting = await underWay(way, services);
  if (waiting) return goOn(way.order, work, waiting, services, log);
  const left = way.back ? [...rows.open.values()] : await stillOn(way.order, from, rows, services, log);
  if (left.length === 0) return end(way, { from, to }, rows, work, services, log);
  return sendWave(left, way, from, rows, work, services, log);
}

/** What all of it waits for now. */
async function holdOf(
  { from, to }: { readonly from: ManagedKey; readonly to: ManagedKey },
  services: RekeyServices,
  log: Log,
): Promise<NextStep | undefined> {
  const { rollout } = services;
  const pause = (await rollout.paused(from, log)) ?? (await rollout.paused(to, log));
  if (pause) return { seconds: pause.delaySeconds, waits: { reason: pause.reason, detail: pause.detail } };
  const obstacle = await obstacleOf(from, to, services);
  return obstacle && waitFor(obstacle);
}

function waitFor(waits: NonNullable<NextStep['waits']>): NextStep {
  return { seconds: WAITS_SECONDS, waits };
}

/** Waits in which accounts that were sent come back, or end as failures; in all others they just end, and are to be sent anew. */
const KEPT_IN_QUEUE: readonly Reason[] = ['Paused', 'ServiceUnavailable', 'VaultUnreadable'];

/** However long it waits: once that is over, they are looked for as long as ever before they are sent anew. */
function withWave(hold: NextStep, { wave }: RekeyOrder, now: Date): NextStep {
  const isKept = hold.waits !== undefined && KEPT_IN_QUEUE.includes(hold.waits.reason);
  if (!isKept || !wave) return hold;
  const untilMs = Math.max(Date.parse(wave.until ?? wave.on), now.getTime() + hold.seconds * 1_000);
  return { ...hold, wave: { ...wave, until: new Date(untilMs).toISOString() } };
}

async function sendWave(
  left: readonly Dependent[],
  way: RekeyWay,
  from: ManagedKey,
  rows: Rows,
  work: RekeyWork,
  services: RekeyServices,
  log: Log,
): Promise<Outcome> {
  const next = nextWave(rows, left.length, services.now(), way.order.wave);
  const wave = { ...next.wave, ...(await sendAccounts(left.slice(0, next.wave.sent), way, from, work, services)) };
  return goOn(way.order, work, { ...next, wave }, services, log);
}

/** Nobody is left to be sent to: it is over, if a fresh look at everything says so too. */
async function end(
  way: RekeyWay,
  keys: { readonly from: ManagedKey; readonly to: ManagedKey },
  rows: Rows,
  work: RekeyWork,
  services: RekeyServices,
  log: Log,
): Promise<Outcome> {
  const { order, back } = way;
  const { failed } = rows;
  const unasked = back ? [] : await neverAsked(order, services);
  const asked = unasked.filter(({ isUnderWay }) => isUnderWay).length;
  // What is still asked for its scopes may use the key, and would not move any more. What refuses is in nobody's way.
  if (failed.size > 0 && asked === 0) {
    return stop(order, `${notMoved(failed.size)} ${allElse(unasked.length)}`, services, log);
  }
  const verified = back || unasked.length > 0 ? undefined : await verifyUnused(order, keys.from, services, log);
  if (verified && verified.found.length > 0) return sendWave(verified.found, way, keys.from, rows, work, services, log);
  const all = [...toAskOf(unasked, services), ...unasked.map(({ gap }) => gap), ...(verified?.gaps ?? [])];
  const gaps = all.map((gap) => gap.slice(0, LONGEST_GAP));
  if (gaps.length > 0) {
    const waits = { reason: 'RekeyUnverified' as const, detail: gaps.slice(0, 3).join(' ') };
    const seen = { on: services.now().toISOString(), gaps: gaps.slice(0, MOST_GAPS) };
    const seconds = secondsToLook(asked, verified?.unlisted);
    return goOn(order, work, { seconds, waits, verified: seen }, services, log);
  }
  return isRecorded(
    await finishRekey(order, { back, to: keys.to, outOfSight: verified?.outOfSight ?? [] }, services, log),
  );
}

/** What is said of the others where some failed. */
function allElse(unasked: number): string {
  // Whether all could be listed, the end alone looks at.
  const known = 'All else that is known has moved';
  if (unasked === 0) return `${known}.`;
  const refusing = unasked === 1 ? '1 account' : `${unasked} accounts`;
  return `${known}; the encryption scopes of ${refusing} could not be listed.`;
}

/** All but those that failed have moved: it waits for a person. */
async function stop(order: RekeyOrder, why: string, services: RekeyServices, log: Log): Promise<Outcome> {
  const stopped = await changeOrder(stoppedBy(order, why, services.now()), services.rekeys);
  if (!stopped) return DONE;
  const message = `${REASONS.RekeyStopped} ${why}`;
  log({ level: 'error', reason: 'RekeyStopped', message, rekey: order.id, key: order.from });
  return isRecorded(await recordChanges(stopped, services, log, stopped.change));
}

/** The next step is in the queue before this one counts as made: killed in between, it is made twice, and never not at all. */
async function goOn(
  order: RekeyOrder,
  work: RekeyWork,
  next: NextStep,
  { queue, rekeys, now }: RekeyServices,
  log: Log,
): Promise<Outcome> {
  const { waits: _waits, wave: _wave, ...rest } = order;
  const { seconds, waits, wave, verified } = next;
  const tick = work.tick + 1;
  await queue.send(KEY_WORK, { ...work, tick, attempt: 0, deferredSince: undefined }, seconds);
  const changed: RekeyOrder = {
    ...rest,
    tick,
    tickedOn: now().toISOString(),
    ...(waits ? { waits } : {}),
    ...(wave ? { wave } : {}),
    ...(verified ? { verified } : {}),
  };
  // Changed meanwhile: it counts as what it was changed to, and the step that comes looks at that.
  await rekeys.replace(changed);
  // Nothing is in the way of what is under way.
  if (waits && waits.reason !== order.waits?.reason && waits.reason !== 'RekeyUnderWay') {
    const message = `${REASONS.RekeyWaits} ${waits.detail}`;
    log({ level: 'warning', reason: 'RekeyWaits', because: waits.reason, message, rekey: order.id, key: order.from });
  }
  return DONE;
}

import { getUsedVersionId, isUseOfKey, type KeyUse, toKeyUse } from '../accounts/key-use.ts';
import { untilAborted } from '../azure/deadline.ts';
import { canHaveTakenEffect, describeAnswerOf, describeFailure } from '../azure/failure.ts';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import type { Reason } from '../errors/reasons.ts';
import { GIVEN_UP_MS } from '../formats/spans.ts';
import { createMoveId, getVersionOfRow, type UseRow } from '../index/use-row.ts';
import { getRetryDelay, LONGEST_WAIT_MS } from '../index/work-items.ts';
import { formatKeyIdentifier, parseKeyIdentifier } from '../keys/key-identifier.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { toOutcome } from '../work/outcome.ts';
import { LIST_MS, type VersionList, type VersionLists } from './fresh-reads.ts';
import type { MovedUses } from './moved-uses.ts';
import { getKeyOfVersion, type Observation, observe, type ReadUse, toUseRowOf } from './observe.ts';
import type { Announcement } from './pass-state.ts';
import { type Plan, planKeyUse, planRekey } from './plan.ts';
import { type ReadPorts, readUse, type WritableUse } from './read-use.ts';
import type { Blocked, Order, RolloutGate } from './rollout-gate.ts';

/** Failed attempts after which a use is retried once an hour. */
export const QUICK_TRIES = 8;
/** Time within which the drift check reads another actor's change, after its event. Milliseconds. */
const CHANGE_CHECK_MS = 5_000;
/** Safety margin after the time in which an unanswered write can take effect. Milliseconds. */
const MARGIN_MS = 1_000;

/** A move by the app that needs an audit record. */
export interface Move {
  /** Hash of the state in Azure, so that a second record of the move has the same id. */
  readonly id: string;
  /** `MoveObserved`: only the announcement of a dead worker attributes the move to the app. */
  readonly reason: 'Moved' | 'Refreshed' | 'Rekeyed' | 'MoveObserved';
  readonly account: string;
  readonly scope?: string | undefined;
  readonly key: string;
  /** Version identifiers. */
  readonly from: string | undefined;
  readonly to: string;
  readonly mode: 'pinned' | 'automatic';
  /** A later read proved the move, since the answer to the PATCH was lost. */
  readonly provenBy?: 'read';
  /** Id of the move's re-key order. */
  readonly rekey?: string | undefined;
}

export interface UseResult {
  /** The new index row; undefined if the use no longer exists. */
  readonly row: UseRow | undefined;
  /** Moves by the app that the trail may lack, oldest first. */
  readonly moves: readonly Move[];
  /** A change by another actor. */
  readonly changed?: { readonly from: string | undefined; readonly to: string | undefined } | undefined;
  readonly blocked?: Blocked;
  /** Azure answered 429 to a call for this use. Seconds of its `Retry-After`, if present. */
  readonly throttled?: { readonly retryAfterSeconds: number | undefined; readonly code: string };
  /** Whether the region's resource provider answered; false after a deadline or 5xx; absent without a call. */
  readonly isWell?: boolean;
  readonly isRead?: true;
  readonly detail?: string;
}

/** A use, with its state before the read. */
interface UseTask {
  readonly row: UseRow;
  readonly key: ManagedKey;
  /** Time of the request: version lists that began earlier may lack its version. */
  readonly since: Date;
  /** The drift check must not move the use (exempt, or not in CMK_AUTOFIX). */
  readonly isExempt: boolean;
  /** The drift check has evaluated the change by another actor. */
  readonly isChecked: boolean;
}

export interface UsePorts extends ReadPorts {
  readonly versions: Pick<VersionLists, 'read' | 'known'>;
  readonly gate: Pick<RolloutGate, 'order' | 'orderBetween'>;
  readonly moved: Pick<MovedUses, 'put' | 'drop'>;
  /** Returns the targets that dead workers announced. */
  announced(): readonly Announcement[];
  /** Checks the gate, and announces the target if the use may move. @returns why it may not */
  admit(row: UseRow, key: ManagedKey, target: string, since: Date): Promise<Blocked | undefined>;
  /** Returns why the pass must not send the PATCH: a lost lease, the end of its time, or a closed gate. */
  stopped(row: UseRow, key: ManagedKey, target: string): Blocked | undefined;
}

type PlanTask = Omit<UseTask, 'isChecked'>;
type PlanPorts = Pick<UsePorts, 'versions' | 'now'> & { readonly gate: Pick<RolloutGate, 'order'> };

/** What a plan is made from. */
interface PlanLists {
  readonly from: VersionList;
  /** Versions of the order's target key; undefined: the use follows its own key. */
  readonly to: VersionList | undefined;
  readonly order: Order | undefined;
  readonly now: Date;
}

interface UsePlan {
  readonly plan: Plan;
  /** Start of the older version list, in milliseconds. */
  readonly listedAt: number;
  readonly order?: Order;
}

/**
 * Reconciles one use of a key: GET, plan, gate, PATCH. Azure's answer to the PATCH is the proof. Decides from this
 * GET, not from the row. Never throws: the result contains the failure.
 */
export async function reconcileUse(task: UseTask, ports: UsePorts): Promise<UseResult> {
  const { row, key } = task;
  const id = parseStorageAccountId(row.account);
  if (!id) return { row: undefined, moves: [] };

  try {
    const read = await readUse(id, row, ports);
    if (!read) return { row: undefined, moves: [], isWell: true };

    const observation = observe(row, read, ports.announced());
    const observed = resultOf(observation, ports);
    const { row: seen } = observed;
    if (!seen || !isUseOfKey(read.use, key)) return observed;

    return await moveUse({ ...task, row: seen }, { ...read, use: read.use }, observed, ports);
  } catch (error) {
    // The pass ran out of time during the read. A read changes nothing.
    if (ports.reads?.aborted) return { row, moves: [], blocked: { reason: 'Busy', until: ports.now() } };
    return resultOfFailure(row, error, ports.now());
  }
}

/** Plans a use after its read, and moves it if the gate admits it. */
async function moveUse(
  task: UseTask,
  read: WritableUse & { readonly use: KeyUse },
  observed: UseResult,
  ports: UsePorts,
): Promise<UseResult> {
  const { row: seen, key, since } = task;
  const whileBlocked = (blocked: Blocked): UseResult => ({ ...observed, row: markPending(seen), blocked });
  let planned: UsePlan;
  try {
    const planning = planOf(task, read.use, ports);

    // At the end of the pass, the use stays pending: the worker must not hold the lease for a vault that hangs.
    if (!(await untilAborted(planning, ports.reads))) return whileBlocked({ reason: 'Busy', until: ports.now() });
    planned = await planning;
  } catch (error) {
    // Azure failed to list the key's versions. That is no failure of the use.
    const blocked = { ...notNow(ports.now()), reason: toOutcome(error).reason };
    return { ...whileBlocked(blocked), detail: describeAnswerOf(describeFailure(error)) };
  }

  const { plan, listedAt, order } = planned;
  if (plan.reason === 'RevocationOpen') return whileBlocked({ reason: plan.reason });
  if (!plan.write || isRefreshed(seen, plan)) return { ...observed, row: markFinished(seen, plan) };

  if (observed.changed && !task.isChecked) {
    // The check of the change event identifies the actor, and stops a conflict.
    const until = new Date(ports.now().getTime() + CHANGE_CHECK_MS);
    const blocked = whileBlocked({ reason: 'ChangedByOthers', until });
    return { ...blocked, row: { ...markPending(seen), notBefore: until.toISOString() } };
  }

  const blocked = await ports.admit(seen, key, plan.target.id, since);
  if (blocked) return whileBlocked(blocked);

  const send = async (): Promise<UseResult> => {
    const stop = ports.stopped(seen, key, plan.target.id);
    if (stop) return whileBlocked(stop);
    if (ports.now().getTime() - listedAt > LIST_MS) return whileBlocked(notNow(ports.now()));
    return write(seen, plan, read, observed, ports);
  };

  return order ? storeMoved(order, seen, ports, send) : send();
}

/** Retries the use soon, since its input is outdated. */
function notNow(now: Date): Blocked {
  return { reason: 'ServiceUnavailable', until: new Date(now.getTime() + getRetryDelay(0)) };
}

/** The app writes an automatic use once per target; Storage updates it within a day. */
export function isRefreshed(row: UseRow, { reason, target }: Plan): boolean {
  const isSkipped = row.state === 'skipped' && row.reason === reason;
  return reason === 'LaggingAutomaticVersion' && isSkipped && row.target === target?.id;
}

/** Plans a use from what Azure shows, with fresh lists. Throws the error of a failed list of the key's versions. */
async function planOf(task: PlanTask, use: KeyUse, { gate, versions, now }: PlanPorts): Promise<UsePlan> {
  const { row, key, since } = task;
  const order = gate.order(key);
  const [from, to] = await Promise.all([
    versions.read(key, since),
    // If Key Vault cannot list the target key, the use follows its own key.
    order?.covers(row) ? versions.read(order.to, since).catch(() => undefined) : undefined,
  ]);
  return planFrom(task, use, { from, to, order, now: now() });
}

/** Plans a use from its row and the known lists, without a call. Returns undefined if no list of its key is known. */
export function planKnown(task: PlanTask, { gate, versions, now }: PlanPorts): Plan | undefined {
  const { row, key, since } = task;
  const from = versions.known(key);
  if (!from) return undefined;
  const order = gate.order(key);
  const listed = order?.covers(row) ? versions.known(order.to) : undefined;
  const to = listed && listed.begunAt >= since.getTime() ? listed : undefined;
  return planFrom(task, toKeyUse(row), { from, to, order, now: now() }).plan;
}

function planFrom({ key, isExempt }: PlanTask, use: KeyUse, { from, to, order, now }: PlanLists): UsePlan {
  if (order && to) {
    const plan = planRekey(use, { key, versions: from.value }, { key: order.to, versions: to.value }, now);
    if (plan) return { plan, listedAt: Math.min(from.begunAt, to.begunAt), order };
  }
  return { plan: planKeyUse(use, from.value, now, isExempt), listedAt: from.begunAt };
}

/**
 * Records in the control zone that a re-key order may have moved the use: a rollback must not rely on the work zone.
 * Writes before the PATCH, and deletes the entry if no PATCH was sent or Azure rejected it.
 */
async function storeMoved(
  { id }: Order,
  seen: UseRow,
  { moved }: Pick<UsePorts, 'moved'>,
  send: () => Promise<UseResult>,
): Promise<UseResult> {
  await moved.put(id, seen);

  const result = await send();
  const { row } = result;
  const isUnmoved = row?.state === 'pending' || (row?.state === 'failed' && row.reason !== 'NotProven');
  if (!row || isUnmoved) await moved.drop(id, seen);

  return result;
}

async function write(
  seen: UseRow,
  plan: Plan & { readonly write: true },
  read: WritableUse,
  observed: UseResult,
  ports: UsePorts,
): Promise<UseResult> {
  let answer: ReadUse;
  try {
    answer = await read.write(plan.pin, plan.to);
  } catch (error) {
    const { moves: _, ...failure } = resultOfFailedWrite(seen, plan, error, ports);
    return { ...observed, ...failure };
  }

  const row = toUseRowOf({ ...answer, about: read.about });
  const shown = answer.use && getUsedVersionId(answer.use);

  // Storage may refresh an automatic use at once or later: Microsoft does not specify it. The version may be newer.
  const isRefresh = plan.reason === 'LaggingAutomaticVersion';
  if (row && isRefresh && shown === getVersionOfRow(seen)) return { ...observed, row: markFinished(row, plan) };

  const isNewer = plan.pin === '' && shown !== undefined && getKeyOfVersion(shown) === getKeyOfVersion(plan.target.id);
  if (!row || !shown || (shown !== plan.target.id && !isNewer)) {
    const detail = `Azure's answer shows ${shown ?? 'no version'}, not ${plan.target.id}.`;
    return { ...observed, row: markFailed(row ?? seen, 'NotProven', ports.now()), detail };
  }

  const movedFrom = getVersionOfRow(seen) ?? seen.key;
  const moved: UseRow = { ...row, state: 'done', attempts: 0, target: shown, movedFrom };
  const move = moveOf(moved, ports.gate);

  return { ...observed, row: { ...moved, reason: move.reason }, moves: [...observed.moves, move] };
}

/** Returns the row after the plan's target needs no more work. */
export function markFinished(row: UseRow, { reason, target }: Plan): UseRow {
  const state = reason === 'UpToDate' ? 'done' : 'skipped';
  return { ...row, target: target?.id ?? row.target, state, reason, attempts: 0, notBefore: undefined };
}

/** The row has no reason: a block concerns its key or the pass. */
function markPending(row: UseRow): UseRow {
  return { ...row, state: 'pending', reason: undefined, notBefore: undefined };
}

function resultOf({ row, changed }: Observation, { gate }: UsePorts): UseResult {
  // Records only a move that Azure confirms, since the row may be forged.
  const isUnrecorded = row?.movedFrom !== undefined && getVersionOfRow(row) !== undefined;
  const moves: Move[] = isUnrecorded ? [{ ...moveOf(row, gate), provenBy: 'read' }] : [];
  return { row, moves, isWell: true, isRead: true, changed };
}

/** Returns the last move of a use from its row: sent, detected later, or without a record. */
function moveOf(row: UseRow, gate: UsePorts['gate']): Move {
  const { account, scope, mode, stamp = '', movedFrom = '' } = row;
  const to = getVersionOfRow(row) ?? '';
  const left = parseKeyIdentifier(movedFrom);
  const key = left ? formatKeyIdentifier(left) : row.key;
  const isOtherKey = key !== row.key;
  // The order may have ended since the move.
  const rekey = isOtherKey ? gate.orderBetween(key, row.key) : undefined;
  const from = left?.version ? movedFrom : undefined;
  return {
    account,
    scope,
    id: createMoveId(row, to, stamp),
    reason: reasonOf(row, isOtherKey),
    key,
    from,
    to,
    mode,
    rekey,
  };
}

function reasonOf({ mode, isOnlyObserved }: UseRow, isOtherKey: boolean): Move['reason'] {
  if (isOnlyObserved) return 'MoveObserved';
  if (isOtherKey) return 'Rekeyed';
  return mode === 'automatic' ? 'Refreshed' : 'Moved';
}

function resultOfFailedWrite(
  seen: UseRow,
  plan: Plan & { readonly write: true },
  error: unknown,
  { now: clock, writes }: UsePorts,
): UseResult {
  const now = clock();
  const failure = describeFailure(error);

  // Deleted between the read and the write. Other 404s concern the key.
  if (failure.kind === 'notFound' && failure.code === 'ResourceNotFound')
    return { row: undefined, moves: [], isWell: true };
  if (!canHaveTakenEffect(failure)) return resultOfFailure(seen, error, now);

  return {
    row: {
      ...seen,
      state: 'indeterminate',
      reason: 'ServiceUnavailable',
      target: plan.target.id,
      attempts: seen.attempts + 1,
      at: now.toISOString(),
      notBefore: new Date(now.getTime() + GIVEN_UP_MS + MARGIN_MS).toISOString(),
    },
    moves: [],
    // A write that the pass aborted does not indicate the region's health.
    ...(writes?.aborted ? {} : { isWell: false }),
    detail: describeAnswerOf(failure),
  };
}

function resultOfFailure(row: UseRow, error: unknown, now: Date): UseResult {
  const failure = describeFailure(error);
  const detail = describeAnswerOf(failure);
  if (failure.kind === 'throttled') {
    const { retryAfterSeconds, code } = failure;
    return { row, moves: [], throttled: { retryAfterSeconds, code }, isWell: true, detail };
  }
  const isWell = failure.kind !== 'unavailable';
  return { row: markFailed(row, toOutcome(error).reason, now), moves: [], detail, isWell };
}

/** Marks a use as failed, with the time of its next attempt. */
function markFailed(row: UseRow, reason: Reason, now: Date): UseRow {
  const attempts = row.attempts + 1;
  const notBefore = new Date(now.getTime() + delayMs(attempts)).toISOString();
  // The row stays indeterminate while a PATCH may still take effect.
  const state = row.state === 'indeterminate' ? row.state : 'failed';
  return { ...row, state, reason, attempts, notBefore };
}

function delayMs(attempts: number): number {
  return attempts > QUICK_TRIES ? LONGEST_WAIT_MS : getRetryDelay(attempts - 1);
}

/** Returns the end of a failed use's last attempt; undefined if the use has not failed. */
export function getFailedOn({ state, notBefore, attempts }: UseRow): Date | undefined {
  if (state !== 'failed' || notBefore === undefined) return undefined;
  return new Date(Date.parse(notBefore) - delayMs(attempts));
}

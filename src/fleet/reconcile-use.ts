import { describe, describeFailure, mayHaveTakenEffect } from '../azure/failure.ts';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import { formatKeyIdentifier, parseKeyIdentifier, sameKeyName } from '../keys/key-identifier.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Reason } from '../reasons.ts';
import { GIVEN_UP_MS } from '../time/spans.ts';
import { outcomeOfFailure } from '../work/outcome.ts';
import { type KeyUse, usedVersionId, usesKey } from './key-use.ts';
import type { MovedUses } from './moved-uses.ts';
import { type Announcement, keyOfVersion, type Observation, observe, type ReadUse } from './observe.ts';
import { type ListedKey, type Plan, planKeyUse, planRekey } from './plan.ts';
import { type ReadPorts, readUse, type WritableUse } from './read-use.ts';
import type { Blocked, Order, RolloutGate } from './rollout-gate.ts';
import { moveId, type UseRow, versionOfRow } from './use-row.ts';
import type { VersionLists } from './version-lists.ts';

/** First delay after a failed try, doubled with each further one, and the longest. Seconds. */
const [FIRST_DELAY, LONGEST_DELAY] = [15, 300];
/** After so many failed tries a use is tried once an hour. */
export const QUICK_TRIES = 8;
const HOUR_SECONDS = 3_600;
/** Within so long the drift check reads what others changed, after its event. Milliseconds. */
const CHANGE_CHECK_MS = 5_000;
/** Added to the time within which a write that was not answered lands or never does. Milliseconds. */
const MARGIN_MS = 1_000;

/** A move of the app's own that is to be recorded. */
export interface Move {
  /** Made of what Azure shows, so that a second record of the move has the same id. */
  readonly id: string;
  readonly reason: 'Moved' | 'Refreshed' | 'Rekeyed';
  readonly account: string;
  readonly scope?: string | undefined;
  readonly key: string;
  /** Version identifiers. */
  readonly from: string | undefined;
  readonly to: string;
  readonly mode: 'pinned' | 'automatic';
  /** Read later, since the answer to the PATCH was lost. */
  readonly provenBy?: 'read';
  /** Id of the re-key order that it belongs to. */
  readonly rekey?: string | undefined;
}

/** Outcome of reconciling one use. */
export interface UseResult {
  /** The row to write to the index; undefined: the use does not exist any more. */
  readonly row: UseRow | undefined;
  /** Moves of the app's own that the trail may not have yet, oldest first. */
  readonly moves: readonly Move[];
  /** A change that was not the app's. */
  readonly changed?: { readonly from: string | undefined; readonly to: string | undefined } | undefined;
  readonly blocked?: Blocked;
  /** Azure answered 429 to a call for this use: seconds that it asked to wait, if it said. */
  readonly throttled?: { readonly retryAfterSeconds: number | undefined; readonly code: string };
  /** Whether the region's resource provider answered; false: a deadline or 5xx; absent: not known. */
  readonly isWell?: boolean;
  /** Azure showed the use. */
  readonly isRead?: true;
  /** What Azure said of the failure. */
  readonly detail?: string;
}

/** A use, and what is known of it before it is read. */
interface UseTask {
  readonly row: UseRow;
  readonly key: ManagedKey;
  /** When the work was asked for: lists of versions that began before may lack what it is about. */
  readonly since: Date;
  /** The drift check is to leave it where it is (exempt, or not in CMK_AUTOFIX). */
  readonly isExempt: boolean;
  /** The drift check has read what others changed, as far as it is to. */
  readonly isChecked: boolean;
}

/** What reconciling a use needs of its pass. */
export interface UsePorts extends ReadPorts {
  readonly versions: Pick<VersionLists, 'list' | 'areCurrent'>;
  readonly gate: Pick<RolloutGate, 'order' | 'orderBetween'>;
  readonly moved: Pick<MovedUses, 'put' | 'drop'>;
  /** What passes have announced that they move to, this one included. */
  announced(): readonly Announcement[];
  /** Asks the gate, and announces the target if the use may move. @returns why it may not */
  admit(row: UseRow, key: ManagedKey, target: string, since: Date): Promise<Blocked | undefined>;
  /** Asked right before the PATCH: why the pass may not write, since its lease is lost, its time is up, or the gate is shut. */
  stopped(row: UseRow, key: ManagedKey, target: string): Blocked | undefined;
}

/**
 * Reconciles one use of a key: GET, plan, gate, PATCH. Azure's answer to the PATCH is the proof. Decides from what it reads here, not
 * from the row. Never throws: the result has the failure.
 */
export async function reconcileUse(task: UseTask, ports: UsePorts): Promise<UseResult> {
  const { row, key } = task;
  const id = parseStorageAccountId(row.account);
  if (!id) return { row: undefined, moves: [] };
  try {
    const read = await readUse(id, row, ports);
    if (!read) return { row: undefined, moves: [], isWell: true };
    const observation = observe(row, read, ports.announced());
    if (observation.outdated) return { row, moves: [], isWell: true, blocked: notNow(ports.now()) };
    const { row: seen } = observation;
    const observed = resultOf(observation, ports);
    if (!seen || !usesKey(read.use, key)) return observed;
    return await moveUse({ ...task, row: seen }, { ...read, use: read.use }, observed, ports);
  } catch (error) {
    // The pass ran out of time during the read, which changed nothing.
    if (ports.reads?.aborted) return { row, moves: [], blocked: { reason: 'Busy', until: ports.now() } };
    return resultOfFailure(row, error, ports.now());
  }
}

/** Plans a use that was read, and moves it if the gate admits it. */
async function moveUse(
  task: UseTask,
  read: WritableUse & { readonly use: KeyUse },
  observed: UseResult,
  ports: UsePorts,
): Promise<UseResult> {
  const { row: seen, key, since } = task;
  const whileBlocked = (blocked: Blocked): UseResult => ({ ...observed, row: markPending(seen), blocked });
  let planned: Awaited<ReturnType<typeof planOf>>;
  try {
    planned = await planOf(task, read.use, ports);
  } catch (error) {
    // The versions of the key could not be listed, which is no failure of the use.
    const blocked = { ...notNow(ports.now()), reason: outcomeOfFailure(error).reason };
    return { ...whileBlocked(blocked), detail: describe(describeFailure(error)) };
  }
  const { plan, lists, order } = planned;
  if (plan.reason === 'RevocationOpen') return whileBlocked({ reason: plan.reason });
  if (!plan.write || isRefreshed(seen, plan)) return { ...observed, row: markFinished(seen, plan) };
  if (observed.changed && !task.isChecked) return postponeChanged(observed, seen, ports.now());
  const blocked = await ports.admit(seen, key, plan.target.id, since);
  if (blocked) return whileBlocked(blocked);
  const send = async (): Promise<UseResult> => {
    const stop = ports.stopped(seen, key, plan.target.id);
    if (stop) return whileBlocked(stop);
    if (!ports.versions.areCurrent(lists)) return whileBlocked(notNow(ports.now()));
    return write(seen, plan, read, observed, ports);
  };
  return order ? storeMoved(order, seen, ports, send) : send();
}

/** The use is tried again soon: what it would be decided from is out of date. */
function notNow(now: Date): Blocked {
  return { reason: 'ServiceUnavailable', until: new Date(now.getTime() + FIRST_DELAY * 1000) };
}

/** An automatic use is written once for a target; Storage updates it within a day. */
function isRefreshed(row: UseRow, plan: Plan): boolean {
  return plan.reason === 'LaggingAutomaticVersion' && row.state === 'skipped' && row.target === plan.target?.id;
}

/** Lists the versions of a use's key, and of the key that an order moves it to. */
export async function listKeys(
  row: UseRow,
  key: ManagedKey,
  since: Date,
  { gate, versions }: Pick<UsePorts, 'gate' | 'versions'>,
): Promise<{ readonly from: ListedKey; readonly to?: ListedKey; readonly order?: Order }> {
  const order = gate.order(key);
  const [listed, onto] = await Promise.all([
    versions.list(key, since),
    // If the target key cannot be listed, the use follows its own key.
    order?.covers(row) ? versions.list(order.to, since).catch(() => undefined) : undefined,
  ]);
  const from = { key, versions: listed };
  return order && onto ? { from, to: { key: order.to, versions: onto }, order } : { from };
}

async function planOf({ row, key, since, isExempt }: UseTask, use: KeyUse, ports: UsePorts) {
  const { from, to, order } = await listKeys(row, key, since, ports);
  const now = ports.now();
  const lists = [from, ...(to ? [to] : [])].map((one) => one.versions);
  const rekey = to && planRekey(use, from, to, now);
  if (rekey) return { plan: rekey, lists, order };
  return { plan: planKeyUse(use, from.versions, now, isExempt), lists, order: undefined };
}

/**
 * Stores in the control zone that a re-key order may have moved the use: a roll back must not rely on the work zone. Stored
 * before the PATCH, and dropped if no PATCH was sent or Azure rejected it.
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
    answer = await read.write(plan.pin, 'to' in plan ? plan.to : undefined);
  } catch (error) {
    const { moves: _, ...failure } = resultOfFailedWrite(seen, plan, error, ports);
    return { ...observed, ...failure };
  }
  const answered = observe(undefined, { ...answer, about: read.about }, []);
  const row = answered.outdated ? undefined : answered.row;
  const shown = answer.use && usedVersionId(answer.use);
  // An automatic use moves at once to the newest version, which may be newer than the list, or later: Microsoft does not say.
  const isRefresh = plan.reason === 'LaggingAutomaticVersion';
  if (row && isRefresh && shown === versionOfRow(seen)) return { ...observed, row: markFinished(row, plan) };
  const isNewer =
    plan.pin === '' && shown !== undefined && sameKeyName(keyOfVersion(shown), keyOfVersion(plan.target.id));
  if (!row || !shown || (shown !== plan.target.id && !isNewer)) {
    const detail = `Azure's answer shows ${shown ?? 'no version'}, not ${plan.target.id}.`;
    return { ...observed, row: markFailed(row ?? seen, 'NotProven', ports.now()), detail };
  }
  const movedFrom = versionOfRow(seen) ?? seen.key;
  const moved: UseRow = { ...row, state: 'done', attempts: 0, target: shown, movedFrom };
  const move = moveOf(moved, ports.gate);
  return { ...observed, row: { ...moved, reason: move.reason }, moves: [...observed.moves, move] };
}

/** The row once nothing is left to do for the target of the plan. */
function markFinished(row: UseRow, { reason, target }: Plan): UseRow {
  const state = reason === 'UpToDate' ? 'done' : 'skipped';
  return { ...row, target: target?.id ?? row.target, state, reason, attempts: 0, notBefore: undefined };
}

/** The row has no reason: what blocks the use concerns its key or the pass. */
function markPending(row: UseRow): UseRow {
  return { ...row, state: 'pending', reason: undefined, notBefore: undefined };
}

/** The check of the change's event comes first: it names who made it, and stops a fight. */
function postponeChanged(observed: UseResult, seen: UseRow, now: Date): UseResult {
  const until = new Date(now.getTime() + CHANGE_CHECK_MS);
  const row: UseRow = { ...markPending(seen), notBefore: until.toISOString() };
  return { ...observed, row, blocked: { reason: 'ChangedByOthers', until } };
}

function resultOf({ row, changed }: Extract<Observation, { outdated: false }>, { gate }: UsePorts): UseResult {
  // A missing record is made only of a move that Azure shows, since the row may be forged.
  const isUnrecorded = row?.movedFrom !== undefined && versionOfRow(row) !== undefined;
  const moves: Move[] = isUnrecorded ? [{ ...moveOf(row, gate), provenBy: 'read' }] : [];
  return { row, moves, isWell: true, isRead: true, changed };
}

/** The last move of a use, as its row has it: made, found or not recorded yet. */
function moveOf(row: UseRow, gate: UsePorts['gate']): Move {
  const { account, scope, mode, stamp = '', movedFrom = '' } = row;
  const to = versionOfRow(row) ?? '';
  const left = parseKeyIdentifier(movedFrom);
  const key = left ? formatKeyIdentifier(left) : row.key;
  const isOtherKey = !sameKeyName(key, row.key);
  // The order may have ended meanwhile.
  const rekey = isOtherKey ? gate.orderBetween(key, row.key) : undefined;
  const reason = isOtherKey ? 'Rekeyed' : mode === 'automatic' ? 'Refreshed' : 'Moved';
  const from = left?.version ? movedFrom : undefined;
  return { account, scope, id: moveId(row, to, stamp), reason, key, from, to, mode, rekey };
}

function resultOfFailedWrite(
  seen: UseRow,
  plan: Plan & { readonly write: true },
  error: unknown,
  { now: clock, writes }: UsePorts,
): UseResult {
  const now = clock();
  const failure = describeFailure(error);
  // Deleted between the read and the write; other 404s are about the key.
  if (failure.kind === 'notFound' && failure.code === 'ResourceNotFound')
    return { row: undefined, moves: [], isWell: true };
  if (!mayHaveTakenEffect(failure)) return resultOfFailure(seen, error, now);
  return {
    row: {
      ...seen,
      ...{ state: 'indeterminate', reason: 'ServiceUnavailable', target: plan.target.id, attempts: seen.attempts + 1 },
      ...{ at: now.toISOString(), notBefore: new Date(now.getTime() + GIVEN_UP_MS + MARGIN_MS).toISOString() },
    },
    moves: [],
    // A write that the pass aborted says nothing of the region.
    ...(writes?.aborted ? {} : { isWell: false }),
    detail: describe(failure),
  };
}

function resultOfFailure(row: UseRow, error: unknown, now: Date): UseResult {
  const failure = describeFailure(error);
  const detail = describe(failure);
  if (failure.kind === 'throttled') {
    const { retryAfterSeconds, code } = failure;
    return { row, moves: [], throttled: { retryAfterSeconds, code }, isWell: true, detail };
  }
  const isWell = failure.kind !== 'unavailable';
  return { row: markFailed(row, outcomeOfFailure(error).reason, now), moves: [], detail, isWell };
}

/** A failed use with the time of its next try. */
function markFailed(row: UseRow, reason: Reason, now: Date): UseRow {
  const attempts = row.attempts + 1;
  const notBefore = new Date(now.getTime() + delayMs(attempts)).toISOString();
  // The row stays indeterminate while a PATCH may still land.
  const state = row.state === 'indeterminate' ? row.state : 'failed';
  return { ...row, state, reason, attempts, notBefore };
}

/** Until the next try, after so many failed ones. */
function delayMs(attempts: number): number {
  const seconds = attempts > QUICK_TRIES ? HOUR_SECONDS : Math.min(FIRST_DELAY * 2 ** (attempts - 1), LONGEST_DELAY);
  return seconds * 1000;
}

/** When the last try of a failed use ended; undefined: it has not failed. */
export function failedOn({ state, notBefore, attempts }: UseRow): Date | undefined {
  if (state !== 'failed' || notBefore === undefined) return undefined;
  return new Date(Date.parse(notBefore) - delayMs(attempts));
}

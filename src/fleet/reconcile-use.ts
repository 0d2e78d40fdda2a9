import { describe, describeFailure, mayHaveTakenEffect } from '../azure/failure.ts';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import { formatKeyIdentifier, parseKeyIdentifier, sameKeyName } from '../keys/key-identifier.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Reason } from '../reasons.ts';
import { GIVEN_UP_MS } from '../time/spans.ts';
import { outcomeOfFailure } from '../work/outcome.ts';
import { type KeyUse, usedVersionId, usesKey } from './key-use.ts';
import type { MovedUses } from './moved-uses.ts';
import { type Announcement, keyOfVersion, type Observation, observe, type ReadUse } from './observe.ts';
import { namesUnlisted, type Plan, planKeyUse } from './plan.ts';
import { readUse, type WritableUse } from './read-use.ts';
import { canRekey, isRekey, planRekey } from './rekey-plan.ts';
import type { StorageAccounts } from './storage-client.ts';
import { moveId, type UseRow, versionOfRow } from './use-row.ts';

/** First delay after a failed try, doubled with each further one, and the longest. Seconds. */
const [FIRST_DELAY, LONGEST_DELAY] = [15, 300];
/** After so many failed tries a use is tried once an hour. */
export const QUICK_TRIES = 8;
const HOUR_SECONDS = 3_600;
/** Added to the time within which a write that was not answered lands or never does. Milliseconds. */
const MARGIN_MS = 1_000;

/** A move of the app's own that is to be recorded. */
export interface Move {
  /** Made of what Azure shows, so that a second record of it has the same one. */
  readonly id: string;
  readonly reason: 'Moved' | 'Refreshed' | 'Rekeyed';
  readonly account: string;
  readonly scope?: string;
  readonly key: string;
  /** Version identifiers. */
  readonly from: string | undefined;
  readonly to: string;
  readonly mode: 'pinned' | 'automatic';
  /** Read later, since the answer to the PATCH was lost. */
  readonly provenBy?: 'read';
  /** Id of the re-key order that it belongs to. */
  readonly rekey?: string;
}

/** A use is not moved now, although the plan may want it. */
export interface Blocked {
  readonly reason: Reason;
  /** When it is worth trying again; absent: what ends it makes a work item by itself. */
  readonly until?: Date;
  /** No stage is decided for the version that it would move to. */
  readonly needsRollout?: true;
}

/** Outcome of reconciling one use. */
export interface UseResult {
  /** What the index is to hold of it; undefined: the use does not exist any more. */
  readonly row: UseRow | undefined;
  /** Moves of the app's own that the trail may not have yet, oldest first. */
  readonly moves: readonly Move[];
  /** A change that was not the app's. */
  readonly changed?: { readonly from: string | undefined; readonly to: string | undefined };
  readonly blocked?: Blocked;
  /** Azure answered 429 to a call for this use: seconds that it asked to wait, if it said. */
  readonly throttled?: { readonly retryAfterSeconds: number | undefined; readonly code: string };
  /** The call failed by deadline or 5xx: the region's resource provider may be down. */
  readonly isUnavailable?: boolean;
  /** What Azure said of the failure. */
  readonly detail?: string;
}

/** A standing order that moves the uses of a key to another one. */
export interface Order {
  readonly id: string;
  readonly to: ManagedKey;
  covers(row: UseRow): boolean;
}

export interface UsePorts {
  readonly accounts: StorageAccounts;
  /**
   * Versions of a key by a list that is at most 5 s old and began after the work was asked for; `anew`: by a new one.
   *
   * @throws KeyUnreadableError
   */
  versions(key: ManagedKey, anew?: 'anew'): Promise<readonly KeyVersion[]>;
  /** Whether these very lists, as they were given, are still at most 5 s old. */
  areCurrent(lists: readonly (readonly KeyVersion[])[]): boolean;
  readonly moved: Pick<MovedUses, 'put' | 'drop'>;
  /** Why the use is not moved now; undefined: it may be. Never throws. */
  gate(row: UseRow, key: ManagedKey): Promise<Blocked | undefined>;
  /** Waits for the budgets of one GET and one PATCH; says so where they admit it too late for this pass. */
  permit(row: UseRow): Promise<Blocked | undefined>;
  /** Whether the pass has announced that it moves uses of the key to that version identifier. */
  isAnnounced(key: ManagedKey, target: string): boolean;
  /** Errors are those of the app's own storage, and then nothing may be written. */
  announce(key: ManagedKey, target: string): Promise<void>;
  /** Asked right before the PATCH: why the pass may not write, since its lease is lost, its time is up, or the gate is shut. */
  stopped(row: UseRow, key: ManagedKey, target: string): Blocked | undefined;
  /** The active order for the uses of a key. */
  order(key: ManagedKey): Order | undefined;
  /** Id of the last order that was to move uses from one key to the other. */
  orderBetween(from: string, to: string): string | undefined;
  /** Whether the drift check is to leave the use where it is (exempt, or not in CMK_AUTOFIX). */
  isExempt(row: UseRow): boolean;
  announced(): readonly Announcement[];
  /** The use is read although it may not be moved. */
  readonly mustRead: boolean;
  readonly refreshAutomatic: boolean;
  readonly now: () => Date;
}

/** The versions of a key could not be listed: that is no failure of the use. */
export class KeyUnreadableError extends Error {
  constructor(cause: unknown) {
    super('The versions of the key could not be listed.', { cause });
    this.name = 'KeyUnreadableError';
  }
}

/** A target that was not announced, or a list that grew old during the read, takes one more round. */
const MOST_ROUNDS = 3;

/**
 * Brings one use of a key to where it should be: GET, plan, PATCH; the answer is the proof. Everything is decided from what
 * is read here. Never throws: what went wrong is in the result.
 */
export async function reconcileUse(row: UseRow, key: ManagedKey, ports: UsePorts): Promise<UseResult> {
  const id = parseStorageAccountId(row.account);
  if (!id) return { row: undefined, moves: [] };
  const blocked = await ports.gate(row, key);
  // A PATCH without an answer, and a move without a record, are read although the gate is shut.
  const mustRead = ports.mustRead || row.state === 'indeterminate' || row.movedFrom !== undefined;
  if (blocked && !mustRead) return { row, moves: [], blocked };
  for (let round = 1; round <= MOST_ROUNDS; round += 1) {
    const late = await ports.permit(row);
    if (late) return { row, moves: [], blocked: late };
    // Permits may take long.
    const blockedNow = await ports.gate(row, key);
    try {
      const [listed, read] = await Promise.all([ports.versions(key), readUse(id, row, ports.accounts, ports.now)]);
      if (!read) return { row: undefined, moves: [] };
      const observation = observe(row, read, ports.announced());
      if (observation.outdated) continue;
      const { row: seen } = observation;
      const observed = resultOf(observation, ports);
      if (!seen || !usesKey(read.use, key)) return observed;
      const { plan, lists, order } = await planOf(seen, read.use, key, listed, ports);
      if (plan.reason === 'RevocationOpen')
        return { ...observed, row: markPending(seen), blocked: { reason: plan.reason } };
      if (!plan.write || isRefreshed(seen, plan)) return { ...observed, row: markFinished(seen, plan) };
      if (order && !blockedNow) await ports.moved.put(order.id, seen);
      const stop = blockedNow ?? ports.stopped(seen, key, plan.target.id);
      if (stop) return { ...observed, row: markPending(seen), blocked: stop };
      // Nothing else is awaited between the read and the write: after an announcement or a new list the use is read again.
      const onto = isRekey(plan) ? plan.to : key;
      if (!ports.isAnnounced(onto, plan.target.id)) await ports.announce(onto, plan.target.id);
      else if (ports.areCurrent(lists)) return await write(seen, plan, order, read, observed, ports);
    } catch (error) {
      return resultOfFailure(row, error, ports.now());
    }
  }
  return { row, moves: [], blocked: blockSoon('ServiceUnavailable', ports.now()) };
}

/** An automatic use is written once for a target; Storage updates it within a day. */
function isRefreshed(row: UseRow, plan: Plan): boolean {
  return plan.reason === 'LaggingAutomaticVersion' && row.state === 'skipped' && row.target === plan.target?.id;
}

async function planOf(
  row: UseRow,
  use: KeyUse,
  key: ManagedKey,
  listed: readonly KeyVersion[],
  ports: UsePorts,
): Promise<{ readonly plan: Plan; readonly lists: readonly (readonly KeyVersion[])[]; readonly order?: Order }> {
  // A version that the list lacks may be newer than all that are in it.
  const versions = namesUnlisted(use, listed) ? await ports.versions(key, 'anew') : listed;
  const { refreshAutomatic, now } = ports;
  const own = planKeyUse(use, versions, now(), { refreshAutomatic, isLeft: ports.isExempt(row) });
  const order = ports.order(key);
  if (!order?.covers(row)) return { plan: own, lists: [versions] };
  // A use that cannot leave its key now follows it, also where it is unknown whether it can.
  const onto = await ports.versions(order.to).catch(() => undefined);
  if (!onto) return { plan: own, lists: [versions] };
  const [from, to] = [
    { key, versions },
    { key: order.to, versions: onto },
  ];
  const lists = [versions, onto];
  return canRekey(from, to, now()) ? { plan: planRekey(use, from, to, now()), lists, order } : { plan: own, lists };
}

async function write(
  seen: UseRow,
  plan: Plan & { readonly write: true },
  order: Order | undefined,
  read: WritableUse,
  observed: UseResult,
  ports: UsePorts,
): Promise<UseResult> {
  let answer: ReadUse;
  try {
    answer = await read.write(plan.pin, isRekey(plan) ? plan.to : undefined);
  } catch (error) {
    if (order && !mayHaveTakenEffect(describeFailure(error))) await ports.moved.drop(order.id, seen);
    const { moves: _, ...failure } = resultOfFailedWrite(seen, plan, error, ports.now());
    return { ...observed, ...failure };
  }
  const answered = observe(undefined, { ...answer, about: read.about }, []);
  const row = answered.outdated ? undefined : answered.row;
  const shown = answer.use && usedVersionId(answer.use);
  // For an automatic use Storage takes the newest version of all, which may be newer than the list, or checks later: which is
  // not documented.
  const isRefresh = plan.reason === 'LaggingAutomaticVersion';
  if (row && isRefresh && shown === versionOfRow(seen)) return { ...observed, row: markFinished(row, plan) };
  const isNewer =
    plan.pin === '' && shown !== undefined && sameKeyName(keyOfVersion(shown), keyOfVersion(plan.target.id));
  if (!row || !shown || (shown !== plan.target.id && !isNewer)) {
    const detail = `Azure's answer shows ${shown ?? 'no version'}, not ${plan.target.id}.`;
    return { ...observed, row: markFailed(row ?? seen, 'NotProven', ports.now()), detail };
  }
  const moved: UseRow = {
    ...row,
    state: 'done',
    attempts: 0,
    target: shown,
    movedFrom: versionOfRow(seen) ?? seen.key,
  };
  const move = moveOf(moved, ports);
  return { ...observed, row: { ...moved, reason: move.reason }, moves: [...observed.moves, move] };
}

/** Nothing is left to do for that target, and why. */
function markFinished(row: UseRow, { reason, target }: Plan): UseRow {
  const { notBefore: _, ...rest } = row;
  const state = reason === 'UpToDate' ? 'done' : 'skipped';
  return { ...rest, ...(target ? { target: target.id } : {}), state, reason, attempts: 0 };
}

/** What holds it up belongs to the key or to the pass, and is not written to the row. */
function markPending(row: UseRow): UseRow {
  const { reason: _, notBefore: __, ...rest } = row;
  return { ...rest, state: 'pending' };
}

function blockSoon(reason: Reason, now: Date): Blocked {
  return { reason, until: new Date(now.getTime() + FIRST_DELAY * 1000) };
}

function resultOf({ row, changed }: Extract<Observation, { outdated: false }>, ports: UsePorts): UseResult {
  // A move that is not recorded yet is one that Azure shows: what the row says may be forged.
  const isUnrecorded = row?.movedFrom !== undefined && versionOfRow(row) !== undefined;
  const moves: Move[] = isUnrecorded ? [{ ...moveOf(row, ports), provenBy: 'read' }] : [];
  return { row, moves, ...(changed ? { changed } : {}) };
}

/** The last move of a use, as its row has it: made, found or not recorded yet. */
function moveOf(row: UseRow, { orderBetween }: Pick<UsePorts, 'orderBetween'>): Move {
  const { account, scope, mode, stamp = '', movedFrom = '' } = row;
  const to = versionOfRow(row) ?? '';
  const left = parseKeyIdentifier(movedFrom);
  const key = left ? formatKeyIdentifier(left) : row.key;
  const isOtherKey = !sameKeyName(key, row.key);
  // The order may have ended meanwhile.
  const rekey = isOtherKey ? orderBetween(key, row.key) : undefined;
  const reason = isOtherKey ? 'Rekeyed' : mode === 'automatic' ? 'Refreshed' : 'Moved';
  const use = { account, ...(scope === undefined ? {} : { scope }) };
  const from = left?.version ? movedFrom : undefined;
  return { ...use, id: moveId(use, to, stamp), reason, key, from, to, mode, ...(rekey ? { rekey } : {}) };
}

function resultOfFailedWrite(
  seen: UseRow,
  plan: Plan & { readonly write: true },
  error: unknown,
  now: Date,
): UseResult {
  const failure = describeFailure(error);
  // Deleted between the read and the write; other 404s are about the key.
  if (failure.kind === 'notFound' && failure.code === 'ResourceNotFound') return { row: undefined, moves: [] };
  if (!mayHaveTakenEffect(failure)) return resultOfFailure(seen, error, now);
  return {
    row: {
      ...seen,
      ...{ state: 'indeterminate', reason: 'ServiceUnavailable', target: plan.target.id, attempts: seen.attempts + 1 },
      ...{ at: now.toISOString(), notBefore: new Date(now.getTime() + GIVEN_UP_MS + MARGIN_MS).toISOString() },
    },
    moves: [],
    isUnavailable: true,
    detail: describe(failure),
  };
}

function resultOfFailure(row: UseRow, error: unknown, now: Date): UseResult {
  const failure = describeFailure(error instanceof KeyUnreadableError ? error.cause : error);
  const detail = describe(failure);
  if (error instanceof KeyUnreadableError) {
    const outcome = outcomeOfFailure(error.cause);
    return {
      row,
      moves: [],
      blocked: blockSoon(outcome.outcome === 'done' ? 'Unexpected' : outcome.reason, now),
      detail,
    };
  }
  if (failure.kind === 'throttled') {
    const { retryAfterSeconds, code } = failure;
    return { row, moves: [], throttled: { retryAfterSeconds, code }, detail };
  }
  const outcome = outcomeOfFailure(error);
  const reason = outcome.outcome === 'done' ? 'Unexpected' : outcome.reason;
  const isUnavailable = failure.kind === 'unavailable';
  return { row: markFailed(row, reason, now), moves: [], detail, ...(isUnavailable ? { isUnavailable } : {}) };
}

/** A failed use with the time of its next try. */
function markFailed(row: UseRow, reason: Reason, now: Date): UseRow {
  const attempts = row.attempts + 1;
  const notBefore = new Date(now.getTime() + delayMs(attempts)).toISOString();
  // A PATCH that may still land stays what the row says of it.
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

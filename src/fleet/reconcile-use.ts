import { describe, describeFailure, mayHaveTakenEffect } from '../azure/failure.ts';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Reason } from '../reasons.ts';
import { GIVEN_UP_MS } from '../time/spans.ts';
import { outcomeOfFailure } from '../work/outcome.ts';
import { type KeyUse, usedVersionId, usesKey } from './key-use.ts';
import { type Announcement, type Observation, observe, type ReadUse } from './observe.ts';
import { namesUnlisted, type Plan, planKeyUse } from './plan.ts';
import { readUse, type WritableUse } from './read-use.ts';
import { isRekey, planRekey } from './rekey-plan.ts';
import type { StorageAccounts } from './storage-client.ts';
import { moveId, type UseRow, versionOfRow } from './use-row.ts';

/** First delay after a failed try, doubled with each further one, and the longest. Seconds. */
const [FIRST_DELAY, LONGEST_DELAY] = [15, 300];
/** After so many failed tries a use is tried once an hour. */
const QUICK_TRIES = 8;
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
  /** When it is worth asking again; absent: what ends it makes a work item by itself. */
  readonly until?: Date;
}

/** What one look at a use came to. */
export interface UseResult {
  /** What the index is to hold of it; undefined: the use does not exist any more. */
  readonly row: UseRow | undefined;
  readonly move?: Move;
  /** A change that others made. */
  readonly changed?: { readonly from: string | undefined; readonly to: string | undefined };
  readonly blocked?: Blocked;
  /** Nothing was read: the budgets admit it no earlier. */
  readonly later?: Date;
  /** Azure answered 429 to a call for this use: seconds that it asked to wait, if it said. */
  readonly throttled?: { readonly retryAfterSeconds: number | undefined; readonly code: string };
  /** The call that failed says that the region's resource provider is not well: by deadline or 5xx. */
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
  /** Versions of a key by a list that is at most 5 s old and began after the work was asked for; `anew`: by a new one. */
  versions(key: ManagedKey, anew?: 'anew'): Promise<readonly KeyVersion[]>;
  /** Why the use is not moved now; undefined: it may be. Never throws. */
  gate(row: UseRow, key: ManagedKey): Promise<Blocked | undefined>;
  /** Waits for the budgets of one GET and one PATCH; a time: they admit it no earlier, and the pass does not wait so long. */
  permit(row: UseRow): Promise<Date | undefined>;
  /** Whether the pass has announced that it moves uses of the key to that version identifier. */
  isAnnounced(key: ManagedKey, target: string): boolean;
  /** Errors are those of the app's own storage, and then nothing may be written. */
  announce(key: ManagedKey, target: string): Promise<void>;
  /** Asked right before the PATCH: whether the lease is held, and nothing is known of a pause. */
  mayWrite(key: ManagedKey): boolean;
  /** The active order for the uses of a key, if its target can be used. */
  order(key: ManagedKey): Order | undefined;
  /** Whether the drift check is to leave the use where it is (exempt, or not in CMK_AUTOFIX). */
  isExempt(row: UseRow): boolean;
  readonly announced: readonly Announcement[];
  readonly refreshAutomatic: boolean;
  readonly now: () => Date;
}

/** A target may turn out to be newer than what the pass announced, and is announced then; more often it is left to the next pass. */
const MOST_ROUNDS = 3;

/**
 * Brings one use of a key to where it should be: GET, plan, PATCH; the answer is the proof. Everything is decided from what
 * is read here. Never throws: what went wrong is in the result.
 */
export async function reconcileUse(row: UseRow, key: ManagedKey, ports: UsePorts): Promise<UseResult> {
  const id = parseStorageAccountId(row.account);
  if (!id) return { row: undefined };
  // A PATCH that was not answered is looked for all the same.
  const blocked = await ports.gate(row, key);
  if (blocked && row.state !== 'indeterminate') return { row, blocked };
  for (let round = 1; round <= MOST_ROUNDS; round += 1) {
    const later = await ports.permit(row);
    if (later) return { row, later };
    try {
      const [listed, read] = await Promise.all([ports.versions(key), readUse(id, row, ports.accounts, ports.now)]);
      if (!read) return { row: undefined };
      const observation = observe(row, read, ports.announced);
      if (observation.outdated) return { row };
      const { row: seen } = observation;
      const known = resultOf(row, observation, blocked ? { blocked } : {});
      if (!seen || !usesKey(read.use, key)) return known;
      const plan = await planOf(seen, read.use, key, listed, ports);
      if (!plan.write || isRefreshed(seen, plan)) return { ...known, row: { ...seen, ...skipped(plan) } };
      if (blocked || !ports.mayWrite(key)) return { ...known, row: { ...seen, state: 'pending' } };
      // Between the read and the write nothing is waited for: what is announced now is read again.
      if (ports.isAnnounced(key, plan.target.id)) return await write(seen, plan, read, known, ports, key);
      await ports.announce(key, plan.target.id);
    } catch (error) {
      return failed(row, error, ports.now());
    }
  }
  return { row };
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
): Promise<Plan> {
  // A version that the list lacks may be newer than all that are in it.
  const versions = namesUnlisted(use, listed) ? await ports.versions(key, 'anew') : listed;
  const { refreshAutomatic, now } = ports;
  const asEver = planKeyUse(use, versions, now(), { refreshAutomatic, isLeft: ports.isExempt(row) });
  const order = ports.order(key);
  if (!order?.covers(row)) return asEver;
  const to = { key: order.to, versions: await ports.versions(order.to) };
  const ordered = planRekey(use, { key, versions }, to, now());
  // What cannot leave its key now follows it.
  return ordered.write ? ordered : asEver;
}

async function write(
  seen: UseRow,
  plan: Plan & { readonly write: true },
  read: WritableUse,
  known: UseResult,
  ports: UsePorts,
  key: ManagedKey,
): Promise<UseResult> {
  let answer: ReadUse;
  try {
    answer = await read.write(plan.pin, isRekey(plan) ? plan.to : undefined);
  } catch (error) {
    return { ...known, ...failedWrite(seen, plan, error, ports.now()) };
  }
  const answered = observe(undefined, { ...answer, about: read.about }, []);
  const row = answered.outdated ? undefined : answered.row;
  const shown = answer.use && usedVersionId(answer.use);
  if (!row || shown !== plan.target.id) {
    // Whether Storage looks for a new version at once is not documented; either answer to a refresh is in order.
    if (row && plan.reason === 'LaggingAutomaticVersion' && shown === versionOfRow(seen)) {
      return { ...known, row: { ...row, state: 'skipped', reason: plan.reason, target: plan.target.id } };
    }
    const detail = `Azure's answer shows ${shown ?? 'no version'}, not ${plan.target.id}.`;
    return { ...known, row: retried(row ?? seen, 'NotProven', ports.now()), detail };
  }
  const order = isRekey(plan) ? ports.order(key) : undefined;
  const move = moveOf(seen, { ...row, target: shown }, answer.stamp, order ? { rekey: order.id } : {});
  // Until the trail has its record the row says so.
  return { ...known, row: { ...row, ...done(move), recorded: false, target: shown }, move };
}

/** Nothing is left to do, and why. An automatic use that was written once for a target is not written again. */
function skipped(plan: Plan): Pick<UseRow, 'state' | 'reason'> {
  return { state: plan.reason === 'UpToDate' ? 'done' : 'skipped', reason: plan.reason };
}

function done({ reason }: Pick<Move, 'reason'>): Pick<UseRow, 'state' | 'reason' | 'attempts'> {
  return { state: 'done', reason, attempts: 0 };
}

function resultOf(before: UseRow, observation: Observation, more: Partial<UseResult>): UseResult {
  if (observation.outdated) return { row: before, ...more };
  const { row, found, changed } = observation;
  const move = found && row ? moveOf(before, row, row.stamp ?? '', { provenBy: 'read' }) : undefined;
  return { row, ...(move ? { move } : {}), ...(changed ? { changed } : {}), ...more };
}

/** The move that a row shows which is not recorded yet; undefined: all is recorded, or the version is not known. */
export function unrecordedMove(row: UseRow): Move | undefined {
  return row.recorded === false && versionOfRow(row)
    ? moveOf(row, row, row.stamp ?? '', { provenBy: 'read' })
    : undefined;
}

function moveOf(before: UseRow, after: UseRow, stamp: string, more: Pick<Move, 'provenBy' | 'rekey'>): Move {
  const { account, scope, mode } = after;
  const to = versionOfRow(after) ?? '';
  const from = before === after ? undefined : versionOfRow(before);
  const isOtherKey = before.key.toLowerCase() !== after.key.toLowerCase();
  const reason = isOtherKey ? 'Rekeyed' : mode === 'automatic' ? 'Refreshed' : 'Moved';
  const use = { account, ...(scope === undefined ? {} : { scope }) };
  return { ...more, ...use, id: moveId(use, to, stamp), reason, key: before.key, from, to, mode };
}

function failedWrite(
  seen: UseRow,
  plan: Plan & { readonly write: true },
  error: unknown,
  now: Date,
): Partial<UseResult> & Pick<UseResult, 'row'> {
  const failure = describeFailure(error);
  // Deleted between the read and the write; other 404s are about the key.
  if (failure.kind === 'notFound' && failure.code === 'ResourceNotFound') return { row: undefined };
  if (!mayHaveTakenEffect(failure)) return failed(seen, error, now);
  return {
    row: {
      ...seen,
      ...{ state: 'indeterminate', reason: 'ServiceUnavailable', target: plan.target.id, attempts: seen.attempts + 1 },
      ...{ at: now.toISOString(), notBefore: new Date(now.getTime() + GIVEN_UP_MS + MARGIN_MS).toISOString() },
    },
    isUnavailable: true,
    detail: describe(failure),
  };
}

function failed(row: UseRow, error: unknown, now: Date): UseResult {
  const failure = describeFailure(error);
  const detail = describe(failure);
  if (failure.kind === 'throttled') {
    const { retryAfterSeconds, code } = failure;
    return { row: { ...row, state: 'pending' }, throttled: { retryAfterSeconds, code }, detail };
  }
  const outcome = outcomeOfFailure(error);
  const reason = outcome.outcome === 'done' ? 'Unexpected' : outcome.reason;
  const isUnavailable = failure.kind === 'unavailable';
  return { row: retried(row, reason, now), detail, ...(isUnavailable ? { isUnavailable } : {}) };
}

/** A failed use with the time of its next try. */
function retried(row: UseRow, reason: Reason, now: Date): UseRow {
  const attempts = row.attempts + 1;
  const seconds = attempts > QUICK_TRIES ? HOUR_SECONDS : Math.min(FIRST_DELAY * 2 ** (attempts - 1), LONGEST_DELAY);
  const notBefore = new Date(now.getTime() + seconds * 1000).toISOString();
  // A PATCH that may still land stays what the row says of it.
  const state = row.state === 'indeterminate' ? row.state : 'failed';
  return { ...row, state, reason, attempts, notBefore };
}

import { getUsedVersionId } from '../accounts/key-use.ts';
import { untilAborted } from '../azure/deadline.ts';
import { canHaveTakenEffect, describeAnswerOf, describeFailure } from '../azure/failure.ts';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import { GIVEN_UP_MS } from '../formats/spans.ts';
import { getVersionOfRow, type UseRow } from '../index/use-row.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { decideUse, type PlannedMove } from './decide-use.ts';
import { type Blocked, findGateBlock } from './gate.ts';
import { type KeyState, type KeyStates, LIST_MS } from './key-states.ts';
import type { MovedUses } from './moved-uses.ts';
import { getKeyOfVersion, type ReadUse, toUseRowOf } from './observe.ts';
import type { PassLease } from './pass-lease.ts';
import type { Announcement } from './pass-state.ts';
import type { PassTime } from './pass-time.ts';
import { isScopeGone, type ReadPorts, readUse, type WritableUse, writeUse } from './read-use.ts';
import type { UseRequest } from './select.ts';
import {
  createAccountGoneResult,
  createBlockedResult,
  createFailedResult,
  createRetrySoonBlock,
  GONE,
  markFailed,
  markFinished,
  toMove,
  type UseResult,
  withBlock,
} from './use-result.ts';

/** Safety margin after the time in which an unanswered write can take effect. Milliseconds. */
const MARGIN_MS = 1_000;

export interface UsePorts extends ReadPorts {
  readonly states: Pick<KeyStates, 'read' | 'known'>;
  readonly moved: Pick<MovedUses, 'put' | 'drop'>;
}

/** The pass in which a use is reconciled. */
export interface UsePass {
  readonly time: PassTime;
  readonly lease: Pick<PassLease, 'announce'>;
  /** What dead workers announced. */
  readonly announced: readonly Announcement[];
}

/**
 * Reconciles one use of a key: read, decide, announce, PATCH. Azure's answer to the PATCH is the proof. Never throws:
 * the result contains the failure.
 */
export async function reconcileUse(request: UseRequest, pass: UsePass, ports: UsePorts): Promise<UseResult> {
  const { row, key, since } = request;
  const { reads } = pass.time;
  const id = parseStorageAccountId(row.account);
  if (!id) return { row: undefined, moves: [] };

  try {
    const read = await readUse(id, row, ports, reads);
    if (!read) return (await isScopeGone(id, row, ports, reads)) ? GONE : createAccountGoneResult(row);

    const state = await readState(key, since, ports.states, reads);
    const decision = decideUse(request, read, state, pass.announced, ports.now());

    return 'move' in decision ? await moveUse(decision.move, read, pass, ports) : decision.result;
  } catch (error) {
    // The pass ran out of time during the read. A read changes nothing.
    if (reads.aborted) return createBlockedResult(row, { reason: 'Busy', until: ports.now() });

    return createFailedResult(row, error, ports.now());
  }
}

/** Returns the key's state; without a list of versions if the pass has no time for one. */
async function readState(
  key: ManagedKey,
  since: Date,
  states: UsePorts['states'],
  signal: AbortSignal,
): Promise<KeyState> {
  const reading = states.read(key, since);
  const isRead = await untilAborted(reading, signal);

  return isRead ? reading : { ...states.known(key), versions: undefined };
}

/** Announces the target, checks once more whether the use may move, and moves it. */
async function moveUse(
  move: PlannedMove,
  read: WritableUse,
  { time, lease }: UsePass,
  ports: UsePorts,
): Promise<UseResult> {
  const { seen, observed, plan, order } = move;
  const { moved, now } = ports;

  try {
    await lease.announce(plan.target.id);
  } catch (error) {
    time.fail(error);
    return withBlock(observed, seen, createRetrySoonBlock(now()));
  }

  // Records in the control zone that the order may move the use: a rollback must not rely on the work zone.
  if (order) await moved.put(order.id, seen);

  const stop = findStop(move, time, ports);
  const result = stop ? withBlock(observed, seen, stop) : await patchUse(move, read, time.writes, ports);

  // No PATCH was sent, or Azure rejected it.
  if (order && isUnmoved(result)) await moved.drop(order.id, seen);

  return result;
}

/** The last check before the PATCH: the lease, the gate and the age of the list. */
function findStop({ key, seen, plan, listedAt }: PlannedMove, time: PassTime, ports: UsePorts): Blocked | undefined {
  const { states, now } = ports;
  if (time.isStopping()) return { reason: 'Busy', until: now() };

  const blocked = findGateBlock(seen, plan.target.id, states.known(key), now());
  if (blocked) return blocked;

  return now().getTime() - listedAt > LIST_MS ? createRetrySoonBlock(now()) : undefined;
}

function isUnmoved({ row }: UseResult): boolean {
  return !row || row.state === 'pending' || (row.state === 'failed' && row.reason !== 'NotProven');
}

async function patchUse(
  move: PlannedMove,
  read: WritableUse,
  signal: AbortSignal,
  ports: UsePorts,
): Promise<UseResult> {
  const { key, seen, observed, plan } = move;
  let answer: ReadUse;
  try {
    answer = await writeUse(read, plan.pin, plan.to, ports, signal);
  } catch (error) {
    return resultOfFailedWrite(move, error, signal.aborted, ports.now());
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
  const record = toMove(moved, ports.states.known(key).orders?.value);

  return { ...observed, row: { ...moved, reason: record.reason }, moves: [...observed.moves, record] };
}

function resultOfFailedWrite(
  { seen, observed, plan }: PlannedMove,
  error: unknown,
  isAborted: boolean,
  now: Date,
): UseResult {
  const { moves } = observed;
  const failure = describeFailure(error);

  // Deleted or moved between the read and the write. Other 404s concern the key.
  if (failure.kind === 'notFound' && failure.code === 'ResourceNotFound') {
    return { ...observed, ...createAccountGoneResult(seen), moves };
  }

  if (!canHaveTakenEffect(failure)) return { ...observed, ...createFailedResult(seen, error, now), moves };

  const retryAt = new Date(now.getTime() + GIVEN_UP_MS + MARGIN_MS);
  const row: UseRow = {
    ...seen,
    state: 'indeterminate',
    reason: 'ServiceUnavailable',
    target: plan.target.id,
    attempts: seen.attempts + 1,
    at: now.toISOString(),
    notBefore: retryAt.toISOString(),
  };

  // A write that the pass aborted does not indicate the region's health: the answer to the read does.
  return { ...observed, row, hasAnswered: isAborted, detail: describeAnswerOf(failure) };
}

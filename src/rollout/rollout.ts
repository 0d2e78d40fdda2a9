import type { Hold, Rollout, Stage } from '../accounts/rollout.ts';
import { describe, describeFailure, type Failure, mayPass } from '../azure/failure.ts';
import { secondsFor } from '../fleet/rotation-progress.ts';
import { type KeyVersion, newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { KNOWN_MS, type KnownOrders } from '../orders/known-orders.ts';
import type { PauseOrder } from '../orders/standing-orders.ts';
import { REASONS } from '../reasons.ts';
import { CLOCKS_MS } from '../time/spans.ts';
import { type Cause, KEY_WORK, type RotationWork } from '../work/messages.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import type { RotationProgress } from './progress.ts';
import { computeRotation, type ReadRotationPorts, type RotationReading } from './read-rotation.ts';
import type { RotationStage } from './stage.ts';

/** What waits asks again so soon, so that the end of a pause is felt within a minute. Seconds. */
const ASK_AGAIN_SECONDS = 60;
/** The first look at how far a rotation is comes so soon, and none later than the other. Seconds. */
const FIRST_LOOK_SECONDS = 5;
const LATEST_LOOK_SECONDS = 600;
/** What cannot be read is left alone for so long: accounts must not wait for it one by one. Milliseconds. */
const LEFT_ALONE_MS = 30_000;
/** A vault that does not answer is asked again after so long. */
const PASSING_SECONDS = 15;
/** Keys whose stage is remembered at the same time. */
const MOST_REMEMBERED = 1_000;

export type RolloutPorts = ReadRotationPorts & {
  readonly control: KnownOrders;
  readonly queue: Pick<WorkQueue, 'send'>;
};

const FREE: Stage = { hold: () => undefined, unknown: false };

/** What the orders of operators, canaries and waves let an instance move. */
export function createRollout(ports: RolloutPorts): Rollout {
  const { control, now } = ports;
  const stages = new Map<string, { readonly atMs: number; readonly stage: Promise<Stage> }>();
  const outage = { untilMs: 0 };
  const stageOf: Rollout['stage'] = (key, log, versions) => {
    const nowMs = now().getTime();
    const name = key.id.toLowerCase();
    const known = stages.get(name);
    if (known && !versions && nowMs - known.atMs < KNOWN_MS) return known.stage;
    if (nowMs < outage.untilMs) return Promise.resolve(FREE);
    if (stages.size >= MOST_REMEMBERED) stages.clear();
    const stage = readStage(key, versions, ports, outage, log);
    stages.set(name, { atMs: nowMs, stage });
    return stage;
  };
  return {
    async paused(key, log) {
      await control.refresh(log);
      return holdOf(control.pauseNow(key.id), now());
    },
    pausedNow: (key) => holdOf(control.pauseNow(key.id), now()),
    stage: stageOf,
    async heldNow(key, account, versions, log) {
      const known = await stageOf(key, log);
      const target = newestUsableVersion(versions, now())?.version;
      const isOfAnother = known.version !== undefined && known.version !== target;
      return (isOfAnother ? await stageOf(key, log, versions) : known).hold(account);
    },
    async follow(key, versions, cause, log, { atOnce, holdsBack = false } = {}) {
      const isUp = now().getTime() >= outage.untilMs;
      if (isUp && (await follow(key, versions, cause, { ...ports, atOnce, holdsBack }, log))) return;
      const work = { key: key.id, cause, since: now().toISOString() };
      if (holdsBack) await orderLook(work, ASK_AGAIN_SECONDS, undefined, ports);
    },
  };
}

function holdOf(pause: PauseOrder | undefined, now: Date): Hold | undefined {
  if (!pause) return undefined;
  const endsIn = pause.until ? (Date.parse(pause.until) - now.getTime()) / 1000 : ASK_AGAIN_SECONDS;
  const until = pause.until ? ` until ${pause.until}` : '';
  const detail = `Paused since ${pause.since}${until} by ${pause.by.name ?? pause.by.objectId}: ${pause.reason}`;
  return { reason: 'Paused', detail, delaySeconds: Math.max(1, Math.min(ASK_AGAIN_SECONDS, Math.ceil(endsIn))) };
}

/** Where it cannot be told, everything may move: to be on the right version goes before the order of getting there. */
async function readStage(
  key: ManagedKey,
  versions: readonly KeyVersion[] | undefined,
  ports: RolloutPorts,
  outage: { untilMs: number },
  log: Log,
): Promise<Stage> {
  // An order that came with this look must not wait for the next one.
  await ports.control.refresh(log, versions !== undefined);
  let listed = versions;
  try {
    listed ??= await ports.keys.listVersions(key);
  } catch (error) {
    return withoutVersions(describeFailure(error));
  }
  let read: RotationReading;
  try {
    read = await computeRotation(key, listed, ports);
    // What moves is written down, and then lets the others go: where nothing can be, it would hold them for ever.
    if (!read.blocked && read.stage.name !== 'rest') {
      await ports.rotationNotes.put({ key: key.id, lookedOn: ports.now().toISOString() });
    }
  } catch (error) {
    outage.untilMs = ports.now().getTime() + LEFT_ALONE_MS;
    if (ports.settings.canary > 0) {
      const message = `${REASONS.FleetIndexUnavailable} Canaries and waves are not kept to. ${describe(describeFailure(error))}`;
      log({ level: 'warning', reason: 'FleetIndexUnavailable', message, key: key.id });
    }
    return FREE;
  }
  if (read.blocked) return FREE;
  const { progress, stage } = read;
  const { version } = progress;
  if (stage.name === 'rest') {
    const { moved, waiting, failed, left } = progress;
    return { ...FREE, version, unknown: ports.settings.canary > 0 && moved + waiting + failed + left === 0 };
  }
  const hold = holdOfStage(stage);
  return { version, unknown: false, hold: (account) => (stage.admits(account) ? undefined : hold) };
}

/** Without its versions nothing of the key can be moved; what passes is waited for, and the rest is for the look to judge. */
function withoutVersions(failure: Failure): Stage {
  if (!mayPass(failure)) return FREE;
  const { retryAfterSeconds = PASSING_SECONDS } = failure;
  const hold: Hold = { reason: 'ServiceUnavailable', detail: describe(failure), delaySeconds: retryAfterSeconds };
  return { unknown: false, hold: () => hold };
}

/** Whether nothing goes on behind a stage until somebody sees to something. */
export function isHeld({ state, unwell }: RotationStage): boolean {
  return state === 'failed' || unwell !== undefined;
}

/** What the accounts wait for that are not of the stage. */
export function holdOfStage(stage: RotationStage): Hold {
  const { name, counts, unwell } = stage;
  const canary = name === 'canary';
  const reason = isHeld(stage) ? (canary ? 'CanaryFailed' : 'WaveFailed') : canary ? 'CanaryUnderWay' : 'WaveNotBegun';
  const { moved, waiting, failed } = counts;
  const why = unwell ? ` These do not serve: ${unwell}.` : '';
  const detail = `${REASONS[reason]} ${name}: ${moved} moved, ${waiting} waiting, ${failed} failed.${why}`;
  return { reason, detail, delaySeconds: ASK_AGAIN_SECONDS };
}

/**
 * Has somebody look how far the rotation is, unless somebody will anyway. It is a message as any other: one that is lost, or
 * one too many, changes nothing but when what is known is said.
 *
 * @returns false: the index, or the queue, does not allow it
 */
async function follow(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  cause: Cause,
  ports: OrderPorts & RolloutPorts & { readonly holdsBack: boolean },
  log: Log,
): Promise<boolean> {
  try {
    const read = await computeRotation(key, versions, ports);
    if (read.blocked) return true;
    const { progress, stage, note } = read;
    const isUnfinished = progress.waiting + progress.failed > 0;
    if (!isUnfinished && (note?.finished === progress.version || progress.moved === 0)) return true;
    if (!isUnfinished && note?.finished === undefined && !read.hasMoved && !isNewsOf(progress, cause)) {
      // Everything was on this version before the key was first seen: there was no rotation to record.
      await ports.rotationNotes.put({ key: key.id, finished: progress.version });
      return true;
    }
    if (progress.state === 'stuck' && isExpected(note?.dueOn, ports.now())) return true;
    // Without notes nobody knows of the looks that others have ordered, and each would order one more.
    // Who was held back has no message: that the first look finds their stage begun must be news to it, whichever it is.
    const begun = ports.holdsBack && note?.stage === undefined ? { stage: `${progress.version} begun` } : {};
    await ports.rotationNotes.put({ key: key.id, lookedOn: ports.now().toISOString(), ...begun });
    const work = { key: key.id, cause, since: ports.now().toISOString() };
    await orderLook(work, nextLookSeconds(progress, stage, ports), note?.dueOn, ports);
    return true;
  } catch (error) {
    // The look has said by now that the index is out of reach; the drift check finds what nobody follows.
    const message = `How far the rotation is will not be looked at: ${describe(describeFailure(error))}`;
    log({ level: 'info', reason: 'FleetIndexUnavailable', message, key: key.id });
    return false;
  }
}

/** Whether the event behind this pass came when the version became usable, give or take the clocks. */
function isNewsOf({ startedOn }: RotationProgress, { since }: Cause): boolean {
  return Date.parse(since) - Date.parse(startedOn) < CLOCKS_MS;
}

/**
 * Whether a look is to come, or has just come, by a clock that may be minutes off. Whoever finds a rotation stuck puts
 * everything to work once more: that must not lead to another one who finds it stuck.
 */
function isExpected(dueOn: string | undefined, now: Date): boolean {
  return dueOn !== undefined && Math.abs(Date.parse(dueOn) - now.getTime()) < LATEST_LOOK_SECONDS * 1000;
}

/** When what may move now should be moved, or earlier where that is far away. */
export function nextLookSeconds(
  { expectedEnd }: Pick<RotationProgress, 'expectedEnd'>,
  { name, counts }: RotationStage,
  { writeBudgets, now }: Pick<RolloutPorts, 'writeBudgets' | 'now'>,
): number {
  const all = expectedEnd ? (Date.parse(expectedEnd) - now().getTime()) / 1000 : 0;
  const seconds = name === 'rest' ? all : secondsFor(counts.waiting, writeBudgets);
  return Math.min(LATEST_LOOK_SECONDS, Math.max(FIRST_LOOK_SECONDS, Math.ceil(seconds)));
}

type OrderPorts = Pick<RolloutPorts, 'queue' | 'rotationNotes' | 'now'> & {
  readonly atOnce?: ((work: RotationWork) => Promise<boolean>) | undefined;
};

/**
 * Puts the look into the queue first: a note of one that never was sent would keep others from being sent. Errors are the
 * queue's: for a note that fails nothing is sent twice.
 */
export async function orderLook(
  look: Pick<RotationWork, 'key' | 'cause' | 'since' | 'lookedAgain' | 'onlyLooks'>,
  seconds: number,
  dueOn: string | undefined,
  { queue, rotationNotes, now, atOnce }: OrderPorts,
): Promise<void> {
  const nowMs = now().getTime();
  const dueMs = dueOn === undefined ? 0 : Date.parse(dueOn);
  if (dueMs > nowMs && dueMs <= nowMs + seconds * 1000) return;
  const due = new Date(nowMs + seconds * 1000).toISOString();
  const work: RotationWork = { kind: 'rotation', ...look, due, attempt: 0 };
  // One that is under way may be over long before it is due, and stands in for no other; nor does one that puts nothing to work.
  if (await atOnce?.(work)) return;
  await queue.send(KEY_WORK, work, seconds);
  if (look.onlyLooks) return;
  await rotationNotes.put({ key: look.key, lookedOn: now().toISOString(), dueOn: due }).catch(() => {});
}

import { createHash } from 'node:crypto';
import type { RecordAudit } from '../audit/audit-trail.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { FLEET_TABLE } from '../fleet/fleet-table-client.ts';
import { unwellOf } from '../fleet/rotation-notes.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { DAY_MS } from '../time/spans.ts';
import { KEY_WORK, type RotationWork } from '../work/messages.ts';
import { DONE, type Outcome, outcomeOfFailure } from '../work/outcome.ts';
import type { ProbeCanaries } from './probe-canaries.ts';
import type { RotationProgress } from './progress.ts';
import { finishedAsFarAsKnown, type RotationReading, readRotation } from './read-rotation.ts';
import { holdOfStage, nextLookSeconds, orderLook, type RolloutPorts } from './rollout.ts';
import type { RotationStage } from './stage.ts';

/** How long it waits for the audit trail, in milliseconds. */
const AUDIT_WAIT_MS = 15_000;
/** A rotation that is stuck or held is looked at so often; after so long it is left to the drift check. */
const SELDOM_SECONDS = 300;
const LONGEST_MS = DAY_MS;
/** After a pause, and after everything was put to work once more. */
const SOON_SECONDS = 60;
/** After so many tries a look at the key takes its place: without the index that puts everything to work. */
const MOST_TRIES = 4;
/** The trail is read so far back for a record that is there already. Milliseconds. */
const RECORDED_MS = 7 * DAY_MS;

export type FollowPorts = Omit<RolloutPorts, 'settings'> & {
  readonly settings: RolloutPorts['settings'] & { readonly vaults: Pick<ManagedVaults, 'key'> };
  readonly audit: RecordAudit;
  readonly probeCanaries: ProbeCanaries;
};

type Standing = Extract<RotationReading, { blocked?: undefined }>;

/**
 * Looks how far a rotation is, records that it is finished or stuck, and has the next stage begun. It decides from what is
 * read alone: any number of these messages may come, or none.
 */
export async function followRotation(work: RotationWork, ports: FollowPorts, log: Log): Promise<Outcome> {
  const key = ports.settings.vaults.key(work.key);
  if (!key) return { outcome: 'reject', reason: 'VaultNotManaged', detail: `${work.key} is in no managed vault.` };
  try {
    return await new Follower(key, work, ports, log).look();
  } catch (error) {
    const outcome = outcomeOfFailure(error);
    if (outcome.outcome === 'retry' && work.attempt + 1 < MOST_TRIES) return outcome;
    const message = `How far the rotation is cannot be read: ${describe(describeFailure(error))}`;
    log({ level: 'warning', reason: 'FleetIndexUnavailable', message, key: key.id });
    if (work.onlyLooks) return DONE;
    await ports.queue.send(KEY_WORK, { kind: 'key', key: key.id, cause: work.cause, attempt: 0 });
    return DONE;
  }
}

class Follower {
  readonly #key: ManagedKey;
  readonly #work: RotationWork;
  readonly #ports: FollowPorts;
  readonly #log: Log;

  constructor(key: ManagedKey, work: RotationWork, ports: FollowPorts, log: Log) {
    this.#key = key;
    this.#work = work;
    this.#ports = ports;
    this.#log = log;
  }

  async look(): Promise<Outcome> {
    const { control, now, rotationNotes } = this.#ports;
    // Before anything is sent: whoever cannot note it would send it again at each try.
    await rotationNotes.put({ key: this.#key.id, lookedOn: now().toISOString() });
    await control.refresh(this.#log);
    if (control.pauseNow(this.#key.id)) {
      // However long that is, it is no time in which it was looked at.
      return this.#again(SOON_SECONDS, { since: now().toISOString() });
    }
    const read = await readRotation(this.#key, this.#ports);
    if (read.blocked) return DONE;
    const { progress, stage, unlisted = 0 } = read;
    // Of one that moved nothing there is nothing to tell: a row of the index that came late was all there was of it.
    if (progress.state === 'finished') return progress.moved === 0 ? DONE : this.#finish(progress, unlisted);
    const isHeld = await this.#stage(read);
    if (isHeld) return this.#again(SELDOM_SECONDS);
    if (progress.state === 'stuck') return this.#stuck(progress);
    const { onlyLooks } = this.#work;
    return this.#again(nextLookSeconds(progress, stage, this.#ports), { onlyLooks });
  }

  /** What is known of the uses may be wrong, or a message lost: it is stuck if that is not it. Its end is still seen. */
  async #stuck(progress: RotationProgress): Promise<Outcome> {
    if (this.#work.lookedAgain || this.#work.onlyLooks) {
      const outcome = await this.#record('RotationStuck', progress);
      return outcome.outcome === 'done' ? this.#again(SELDOM_SECONDS, { lookedAgain: true }) : outcome;
    }
    await this.#lookAtKey();
    return this.#again(SOON_SECONDS, { lookedAgain: true });
  }

  /** Has the accounts of the stage put to work; true: nothing goes on behind it until somebody sees to something. */
  async #stage({ progress, stage, note }: Standing): Promise<boolean> {
    const { probeCanaries, rotationNotes } = this.#ports;
    const key = this.#key.id;
    if (stage.state === 'unproven') {
      const { failing, unseen } = await probeCanaries(stage.canaries);
      if (failing.length > 0) {
        const unwell = failing.join(', ');
        await rotationNotes.put({ key, unwell: unwellOf(progress.version, unwell) });
        await this.#record('CanaryFailed', progress, `These do not serve: ${unwell}.`);
        return true;
      }
      await rotationNotes.put({ key, canary: progress.version });
      if (unseen.length > 0) {
        const message = `${REASONS.CanaryUnseen} ${unseen.join(', ')}.`;
        this.#log({ level: 'warning', reason: 'CanaryUnseen', message, key, version: progress.version });
      }
      await this.#lookAtKey();
      return false;
    }
    const isHeld = stage.state === 'failed';
    if (isHeld) {
      const { reason, detail } = holdOfStage(stage);
      await this.#record(reason === 'CanaryFailed' ? reason : 'WaveFailed', progress, detail);
    }
    const place = placeOf(progress.version, stage);
    const isNew =
      !this.#work.onlyLooks && note?.stage !== place && (stage.name !== 'rest' || note?.stage !== undefined);
    if (isNew) {
      await this.#lookAtKey();
      await rotationNotes.put({ key, stage: place }).catch(() => {}); // the next look does it again
    }
    return isHeld;
  }

  async #lookAtKey(): Promise<void> {
    const { queue } = this.#ports;
    if (this.#work.onlyLooks) return;
    await queue.send(KEY_WORK, { kind: 'key', key: this.#key.id, cause: this.#work.cause, attempt: 0 });
  }

  async #finish(progress: RotationProgress, unlisted: number): Promise<Outcome> {
    const outcome = await this.#record(
      'RotationFinished',
      progress,
      unlisted > 0 ? finishedAsFarAsKnown(unlisted) : '',
    );
    if (outcome.outcome !== 'done') return outcome;
    await this.#ports.rotationNotes.put({ key: this.#key.id, finished: progress.version });
    return DONE;
  }

  /** One that puts nothing to work goes on only as long as something moves: the next drift check sends another. */
  async #again(
    seconds: number,
    changed: Partial<Pick<RotationWork, 'since' | 'lookedAgain' | 'onlyLooks'>> = {},
  ): Promise<Outcome> {
    const { now, rotationNotes } = this.#ports;
    const { key, cause, due } = this.#work;
    const { since = this.#work.since, lookedAgain, onlyLooks } = changed;
    if (this.#work.onlyLooks && !onlyLooks) return DONE;
    if (now().getTime() - Date.parse(since) > LONGEST_MS) return DONE;
    const dueOn = (await rotationNotes.of(this.#key.id))?.dueOn;
    const look = { key, cause, since, ...(lookedAgain ? { lookedAgain } : {}), ...(onlyLooks ? { onlyLooks } : {}) };
    await orderLook(look, seconds, dueOn === due ? undefined : dueOn, this.#ports);
    return DONE;
  }

  /** In the log each time, in the audit trail once over all instances. */
  async #record(
    reason: 'RotationFinished' | 'RotationStuck' | 'CanaryFailed' | 'WaveFailed',
    progress: RotationProgress,
    why = '',
  ): Promise<Outcome> {
    const { version, startedOn, progressOn, moved, waiting, failed, left, failures, places } = progress;
    const counts = { moved, waiting, failed, left };
    const about = { key: this.#key.id, version, startedOn, progressOn, ...counts, failures };
    const numbers = `${moved} moved, ${waiting} waiting, ${failed} failed, ${left} left to Storage.`;
    const causes = Object.entries(failures).map(([code, number]) => `${code}: ${number}`);
    const message = [REASONS[reason], numbers, ...causes, why].filter((part) => part !== '').join(' ');
    const seconds = (Date.parse(progressOn) - Date.parse(startedOn)) / 1000;
    this.#log({
      level: reason === 'RotationFinished' ? 'info' : 'error',
      reason,
      message,
      ...about,
      ...(reason === 'RotationFinished' ? { seconds } : {}),
    });
    const entry = {
      id: `rotation/${reason}/${this.#key.id}/${version}`,
      action: 'key.rotation',
      reason,
      resource: this.#key.id,
      details: { ...about, places: places.slice(0, 100), ...(why ? { why } : {}), foundIn: FLEET_TABLE },
    };
    const { audit, now } = this.#ports;
    const since = new Date(Math.max(Date.parse(startedOn), now().getTime() - RECORDED_MS));
    const written = await audit(entry, AUDIT_WAIT_MS, since);
    if ('written' in written) return DONE;
    return { outcome: 'retry', reason: 'AuditFailed', detail: written.failed, counts: true, delaySeconds: undefined };
  }
}

/** What was put to work: of canaries, which those are, as others take the place of those that are gone. */
function placeOf(version: string, { name, canaries }: RotationStage): string {
  const which =
    canaries.length === 0 ? '' : createHash('sha256').update(canaries.join(' ').toLowerCase()).digest('hex');
  return `${version} ${name} ${which.slice(0, 16)}`.trim();
}

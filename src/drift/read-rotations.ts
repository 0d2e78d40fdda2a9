import pMap from 'p-map';
import { describe, describeFailure } from '../azure/failure.ts';
import { known } from '../azure/read-or-why.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { standingPauses } from '../rollout/pause.ts';
import { computeRotation, type ReadRotationPorts } from '../rollout/read-rotation.ts';
import { viewRotation } from '../rollout/rotation-view.ts';
import type { StandingControl } from '../rollout/standing-control.ts';
import { KEY_WORK } from '../work/messages.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import type { KeySubject } from './checks/subjects.ts';
import type { DriftReport } from './report.ts';

/** Keys whose uses are read from the index at the same time. */
const CONCURRENCY = 4;

export type RotationServices = ReadRotationPorts & {
  readonly control: StandingControl;
  readonly queue: Pick<WorkQueue, 'send'>;
};

/** Tells each key that has users how far its rotation is, by what the check has just written. What cannot be read is not known. */
export async function readRotations(
  keys: readonly KeySubject[],
  services: RotationServices,
  log: Log,
): Promise<ManagedKey[]> {
  const unfinished: ManagedKey[] = [];
  await services.control.refresh(log, true);
  let failure: string | undefined;
  await pMap(
    keys,
    async (subject) => {
      const { key, usage } = subject;
      const versions = known(subject.versions) ?? [];
      if (versions.length === 0 || !usage.used || failure !== undefined) return;
      try {
        const read = await computeRotation(key, versions, services);
        const view = viewRotation(key, read, services.control.pauseNow(key.id));
        subject.rotation = view;
        // Whatever goes on is followed by whoever began it.
        if (view.state === 'stuck' || view.state === 'held') unfinished.push(key);
      } catch (error) {
        failure = describe(describeFailure(error));
      }
    },
    { concurrency: CONCURRENCY },
  );
  if (failure !== undefined) {
    const message = `How far rotations are cannot be read: ${failure}`;
    log({ level: 'info', reason: 'FleetIndexUnavailable', message });
  }
  return unfinished;
}

/** Has somebody look at what is under way: what would have followed it may be lost. One look too many changes nothing. */
export async function followUnfinished(
  keys: readonly ManagedKey[],
  report: string,
  { queue, now }: Pick<RotationServices, 'queue' | 'now'>,
): Promise<void> {
  const at = now().toISOString();
  const cause = { by: 'drift', ref: report, since: at };
  // A queue that is out of reach is said by what is fixed; the next check does it again.
  await pMap(
    keys,
    ({ id: key }) =>
      queue.send(KEY_WORK, { kind: 'rotation', key, since: at, due: at, cause, attempt: 0 }).catch(() => {}),
    { concurrency: CONCURRENCY },
  );
}

export function pausesOf({ control, now }: Pick<RotationServices, 'control' | 'now'>): DriftReport['pauses'] {
  return standingPauses(control.state, now()).map(({ key, reason, by, since, until }) => ({
    ...(key ? { key } : {}),
    reason,
    by: by.objectId,
    since,
    ...(until ? { until } : {}),
  }));
}

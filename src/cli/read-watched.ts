import { DRIFT_REPORT, type DriftReport } from '../drift/report.ts';
import { CmkError } from '../errors.ts';
import { causeLabel } from '../fleet/fleet-summary.ts';
import type { AppApi } from '../operations/app-api.ts';
import type { WatchedFleet, WatchedRotation } from '../operations/watch/fleet-changes.ts';
import { FLEET_LIST } from '../views/fleet-schemas.ts';
import { readAllRotations } from './read-all-rotations.ts';

const FLEET = FLEET_LIST.pick({ summary: true });

/** Reads from the app what a fleet is watched for. @throws {@link CmkError} with what the app says */
export async function readWatched(api: AppApi): Promise<WatchedFleet> {
  const [{ value: rotations }, { summary }, report] = await Promise.all([
    readAllRotations(api),
    api.get('/fleet?top=1', FLEET),
    readReport(api),
  ]);
  const revoked = summary.causes.filter(({ state }) => state === 'Revoked');
  return {
    rotations: new Map(
      rotations.map((one): [string, WatchedRotation] => {
        const { state, moved = 0, waiting = 0, failed = 0, expectedEnd } = one;
        return [one.key, { state, moved, waiting, failed, expectedEnd }];
      }),
    ),
    revocations: new Map(revoked.map(({ about, label, accounts, since }) => [about[0] ?? label, { accounts, since }])),
    causes: new Map(
      (report?.causes ?? [])
        .filter(({ exempt }) => !exempt)
        .map(({ id, reason, severity, affected, about }) => [
          id,
          { reason, severity, affected, label: causeLabel({ about }) },
        ]),
    ),
    health: summary.text,
  };
}

/** Undefined: there is none yet. */
async function readReport(api: AppApi): Promise<Pick<DriftReport, 'causes'> | undefined> {
  try {
    return await api.get('/drift', DRIFT_REPORT.pick({ causes: true }));
  } catch (error) {
    if (error instanceof CmkError && error.reason === 'NoDriftReport') return undefined;
    throw error;
  }
}

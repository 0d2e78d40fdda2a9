import { DEFAULT_DRIFT_SCHEDULE, type Environment, SETTINGS } from './settings.ts';

/** When the check runs. One that is not an NCRONTAB expression is reported by the check, which runs every hour then. */
export function driftSchedule(environment: Environment): string {
  const set = environment.CMK_DRIFT_SCHEDULE?.trim();
  const read = set ? SETTINGS.CMK_DRIFT_SCHEDULE.schema.safeParse(set) : undefined;
  return read?.data ?? DEFAULT_DRIFT_SCHEDULE;
}

import type { Environment } from './settings.ts';
import { DEFAULT_DRIFT_SCHEDULE, SETTINGS } from './settings-table.ts';

/** A function that is not there is another app: one that has nothing to do is woken once a year. */
export const ONCE_A_YEAR = '0 0 0 1 1 *';
/** Each look costs a list of keys and one of the versions of each. */
const HSM_WATCH = '0 */5 * * * *';

/** When the check runs. One that is not an NCRONTAB expression is reported by the check, which runs every hour then. */
export function driftSchedule(environment: Environment): string {
  const set = environment.CMK_DRIFT_SCHEDULE?.trim();
  return (set && SETTINGS.CMK_DRIFT_SCHEDULE.schema.safeParse(set).data) || DEFAULT_DRIFT_SCHEDULE;
}

/** When the keys of Managed HSMs are looked at. An app that has none is not woken for it. */
export function hsmWatchSchedule(environment: Environment): string {
  return /\/managedHSMs\//i.test(environment.CMK_VAULTS ?? '') ? HSM_WATCH : ONCE_A_YEAR;
}

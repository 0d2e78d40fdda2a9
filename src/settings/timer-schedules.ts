import type { Environment } from './settings.ts';
import { DEFAULT_DRIFT_SCHEDULE, DEFAULT_HSM_WATCH, SETTINGS } from './settings-table.ts';

/** A function that is not there is another app: one that has nothing to do is woken once a year. */
export const ONCE_A_YEAR = '0 0 0 1 1 *';

/** When the check runs. One that is not an NCRONTAB expression is reported by the check, which runs every hour then. */
export function driftSchedule(environment: Environment): string {
  return scheduleOf('CMK_DRIFT_SCHEDULE', environment) ?? DEFAULT_DRIFT_SCHEDULE;
}

/** When the keys of Managed HSMs are looked at. An app that has none is not woken for it. */
export function hsmWatchSchedule(environment: Environment): string {
  if (!/\/managedHSMs\//i.test(environment.CMK_VAULTS ?? '')) return ONCE_A_YEAR;
  return scheduleOf('CMK_HSM_WATCH', environment) ?? DEFAULT_HSM_WATCH;
}

function scheduleOf(name: 'CMK_DRIFT_SCHEDULE' | 'CMK_HSM_WATCH', environment: Environment): string | undefined {
  const set = environment[name]?.trim();
  return set ? SETTINGS[name].schema.safeParse(set).data : undefined;
}

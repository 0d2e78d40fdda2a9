import type { Environment } from './settings.ts';

/** Schedule of an unused timer: the function always exists, so it runs as rarely as possible. */
const ONCE_A_YEAR = '0 0 0 1 1 *';
/** Each run lists the keys, and the versions of each key. */
const HSM_WATCH = '0 */5 * * * *';

/** Schedule for reading the keys of Managed HSMs; once a year without a Managed HSM. */
export function hsmWatchSchedule(environment: Environment): string {
  return /\/managedHSMs\//i.test(environment.CMK_VAULTS ?? '') ? HSM_WATCH : ONCE_A_YEAR;
}

/** Schedule for collecting notifications; once a year without a receiver. */
export function notifySchedule(environment: Environment): string {
  return environment.CMK_NOTIFY?.trim() ? '0 * * * * *' : ONCE_A_YEAR;
}

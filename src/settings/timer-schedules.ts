import type { Environment } from './settings.ts';

/** A function that is not there is another app: one that has nothing to do is woken once a year. */
const ONCE_A_YEAR = '0 0 0 1 1 *';
/** Each run costs a list of keys and one of the versions of each. */
const HSM_WATCH = '0 */5 * * * *';

/** When the keys of Managed HSMs are read. An app that has none is not woken for it. */
export function hsmWatchSchedule(environment: Environment): string {
  return /\/managedHSMs\//i.test(environment.CMK_VAULTS ?? '') ? HSM_WATCH : ONCE_A_YEAR;
}

/** When new notifications are collected. An app that notifies no target is not woken for it. */
export function notifySchedule(environment: Environment): string {
  return environment.CMK_NOTIFY?.trim() ? '0 * * * * *' : ONCE_A_YEAR;
}

/**
 * A time in the format of Azure's resource providers, with seven digits of a second (`2022-04-11T13:19:34.2920000Z`).
 */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '0000Z');
}

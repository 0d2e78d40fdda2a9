import type { KeyVersion } from '../keys/key-versions.ts';
import type { RotationPolicySummary } from '../keys/rotation-policy-summary.ts';

const DURATION = /^P(?=\d)(?:(\d{1,4})Y)?(?:(\d{1,5})M)?(?:(\d{1,5})W)?(?:(\d{1,6})D)?$/i;

/**
 * When a rotation policy makes the version that follows this one; undefined when it does not rotate by itself, or does not
 * say when in a way that can be told: Key Vault takes ISO 8601 durations of years, months and days ("Configure cryptographic
 * key auto-rotation").
 */
export function rotationDue(
  { createdOn, expiresOn }: Pick<KeyVersion, 'createdOn' | 'expiresOn'>,
  { rotates, afterCreate, beforeExpiry }: RotationPolicySummary,
): Date | undefined {
  if (!rotates) return undefined;
  const times = [
    afterCreate === undefined ? undefined : shifted(createdOn, afterCreate, 1),
    beforeExpiry === undefined || !expiresOn ? undefined : shifted(expiresOn, beforeExpiry, -1),
  ].filter((time) => time !== undefined);
  return times.sort((a, b) => a.getTime() - b.getTime())[0];
}

function shifted(from: Date, duration: string, sign: 1 | -1): Date | undefined {
  const match = DURATION.exec(duration.trim());
  if (!match) return undefined;
  const [years = 0, months = 0, weeks = 0, days = 0] = match.slice(1).map((part) => Number(part ?? 0));
  const time = new Date(from);
  time.setUTCMonth(time.getUTCMonth() + sign * (12 * years + months));
  time.setUTCDate(time.getUTCDate() + sign * (7 * weeks + days));
  return Number.isNaN(time.getTime()) ? undefined : time;
}

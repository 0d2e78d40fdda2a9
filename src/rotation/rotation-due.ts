import type { RotationPolicy } from '../keys/key-client.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import { shift } from '../time/duration.ts';

/**
 * Returns when a rotation policy creates the next version. Undefined if the policy does not rotate, or if its time
 * fails to parse: Key Vault accepts ISO 8601 durations of years, months and days ("Configure cryptographic key
 * auto-rotation").
 */
export function rotationDue(
  { createdOn, expiresOn }: Pick<KeyVersion, 'createdOn' | 'expiresOn'>,
  { rotates, afterCreate, beforeExpiry }: RotationPolicy,
): Date | undefined {
  if (!rotates) return undefined;
  const times = [
    afterCreate === undefined ? undefined : shift(createdOn, afterCreate, 1),
    beforeExpiry === undefined || !expiresOn ? undefined : shift(expiresOn, beforeExpiry, -1),
  ].filter((time) => time !== undefined);
  return times.sort((a, b) => a.getTime() - b.getTime())[0];
}

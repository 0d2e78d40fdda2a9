import type { RotationPolicy } from '../keys/key-client.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import { shift } from '../time/duration.ts';

/**
 * When a rotation policy makes the version that follows this one; undefined when it does not rotate by itself, or its time
 * cannot be parsed: Key Vault takes ISO 8601 durations of years, months and days ("Configure cryptographic
 * key auto-rotation").
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

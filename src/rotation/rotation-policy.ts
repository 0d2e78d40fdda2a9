import { isDeepStrictEqual } from 'node:util';
import { CmkError } from '../errors.ts';
import type { RotationPolicy } from '../keys/key-client.ts';

/** What is asked for of a rotation policy; what is left out stays as it is. ISO 8601 durations. */
export interface WantedPolicy {
  /** Lifetime of versions that a rotation makes. */
  readonly expiresIn?: string | undefined;
  /** Key Vault rotates by itself so long after a version was made, or … */
  readonly rotateAfter?: string | undefined;
  /** … so long before it expires. */
  readonly rotateBeforeExpiry?: string | undefined;
}

/**
 * The policy to write; undefined when the one that is there does what is asked for.
 *
 * @throws {@link CmkError} `ArgumentInvalid` for a rotation before an expiry that no version would have
 */
export function planPolicy(current: RotationPolicy, wanted: WantedPolicy): RotationPolicy | undefined {
  const { expiresIn = current.expiresIn, rotateAfter, rotateBeforeExpiry } = wanted;
  if (rotateBeforeExpiry && !expiresIn) {
    throw new CmkError(
      'ArgumentInvalid',
      `Versions of the key do not expire, so that none can be rotated ${rotateBeforeExpiry} before.`,
      'Say how long versions are to live: --version-lifetime P2Y',
    );
  }
  const { rotates: _, afterCreate: __, beforeExpiry: ___, ...kept } = current;
  const rotation = {
    rotates: true,
    ...(rotateAfter ? { afterCreate: rotateAfter } : {}),
    ...(rotateBeforeExpiry ? { beforeExpiry: rotateBeforeExpiry } : {}),
  };
  const next = {
    ...(rotateAfter || rotateBeforeExpiry ? { ...kept, ...rotation } : current),
    ...(expiresIn ? { expiresIn } : {}),
  };
  return isDeepStrictEqual(current, next) ? undefined : next;
}

import { isDeepStrictEqual } from 'node:util';
import { CmkError } from '../errors.ts';
import type { RotationPolicy } from '../keys/key-client.ts';

/** Requested changes of a rotation policy; absent fields remain unchanged. ISO 8601 durations. */
export interface WantedPolicy {
  /** Lifetime of versions that a rotation creates. */
  readonly expiresIn?: string | undefined;
  /** Key Vault rotates automatically this long after a version's creation, or … */
  readonly rotateAfter?: string | undefined;
  /** … this long before its expiry. */
  readonly rotateBeforeExpiry?: string | undefined;
}

/**
 * Returns the policy to write; undefined if the current policy already matches the request.
 *
 * @throws {@link CmkError} `ArgumentInvalid` for a rotation before expiry if versions never expire
 */
export function planPolicy(current: RotationPolicy, wanted: WantedPolicy): RotationPolicy | undefined {
  const { expiresIn = current.expiresIn, rotateAfter, rotateBeforeExpiry } = wanted;
  if (rotateBeforeExpiry && !expiresIn) {
    throw new CmkError(
      'ArgumentInvalid',
      `The key's versions do not expire, so Key Vault cannot rotate them ${rotateBeforeExpiry} before expiry.`,
      'Set a lifetime for versions: --version-lifetime P2Y',
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

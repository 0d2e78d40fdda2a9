import { CmkError } from '../errors.ts';
import type { RotationPolicy } from '../keys/rotation-policy-summary.ts';

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
export function planPolicy(current: RotationPolicy | undefined, wanted: WantedPolicy): RotationPolicy | undefined {
  const { expiresIn = current?.expiresIn, rotateAfter, rotateBeforeExpiry } = wanted;
  if (rotateBeforeExpiry && !expiresIn) {
    throw new CmkError(
      'ArgumentInvalid',
      `Versions of the key do not expire, so that none can be rotated ${rotateBeforeExpiry} before.`,
      'Say how long versions are to live: --version-lifetime P2Y',
    );
  }
  const actions = current?.actions ?? [];
  const asked = [
    ...(rotateAfter ? [{ action: 'Rotate' as const, timeAfterCreate: rotateAfter }] : []),
    ...(rotateBeforeExpiry ? [{ action: 'Rotate' as const, timeBeforeExpiry: rotateBeforeExpiry }] : []),
  ];
  // A policy takes one Rotate and one Notify action (Key Vault, "Configure key auto-rotation").
  const next = asked.length > 0 ? [...actions.filter(({ action }) => action !== 'Rotate'), ...asked] : actions;
  const same = current !== undefined && current.expiresIn === expiresIn && describe(current.actions) === describe(next);
  return same ? undefined : { expiresIn, actions: next };
}

function describe(actions: RotationPolicy['actions']): string {
  return actions
    .map(({ action, timeAfterCreate, timeBeforeExpiry }) => `${action} ${timeAfterCreate} ${timeBeforeExpiry}`)
    .sort()
    .join(', ');
}

import { z } from 'zod';
import { compareAge, findVersion, type KeyVersion } from '../keys/key-versions.ts';
import { DAY_MS } from '../time/spans.ts';

/** Maximum age of a version that completes an unfinished rotation. This limits the trail search. Milliseconds. */
const OLDEST_MS = 7 * DAY_MS;

/**
 * The start of a rotation, stored in the key's lease: the next holder knows that a new version may still appear. A
 * writer of the leases can forge it, so the app reads the version itself from Key Vault.
 */
const INTENT = z.object({
  /** The newest version before the rotation. */
  from: z.string(),
  /** The rotation completes an interrupted rotation's version, and requests no version. */
  completes: z.boolean().default(false),
  /** By this time, the worker's requests have taken effect or never will (ISO 8601). */
  until: z.iso.datetime(),
});
export type RotationIntent = z.output<typeof INTENT>;

/** Returns undefined if the state is missing or fails to parse. */
export function parseIntent(state: unknown): RotationIntent | undefined {
  return INTENT.safeParse(state).data;
}

/**
 * Returns the recent version that an earlier rotation created after the intent's version, and the version before.
 * Undefined if no such version exists, or if the key was deleted and created again.
 */
export function madeSince(
  { from: before }: RotationIntent,
  versions: readonly KeyVersion[],
  now: Date,
): { readonly from: KeyVersion; readonly to: KeyVersion } | undefined {
  const known = findVersion(versions, before);
  const [from, to] = [...versions].sort(compareAge).slice(-2);
  if (!known || !from || !to || compareAge(to, known) <= 0) return undefined;
  return now.getTime() - to.createdOn.getTime() > OLDEST_MS ? undefined : { from, to };
}

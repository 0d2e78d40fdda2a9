import { z } from 'zod';
import { compareAge, findVersion, type KeyVersion } from '../keys/key-versions.ts';
import { DAY_MS } from '../time/spans.ts';

/** An older version is no result of an unfinished rotation: the trail would have to be read that far back. Milliseconds. */
const OLDEST_MS = 7 * DAY_MS;

/**
 * What a rotation is about to do, stored with the lease of its key: the next holder knows that a new version may still appear.
 * A writer of the leases can forge it, so that the version itself is read from Key Vault.
 */
const INTENT = z.object({
  /** The newest version before it. */
  from: z.string(),
  /** No version is requested: the version of an interrupted rotation is completed. */
  completes: z.boolean().default(false),
  /** By then what its worker sends, a version or its record, has landed or never will (ISO 8601). */
  until: z.iso.datetime(),
});
export type RotationIntent = z.output<typeof INTENT>;

/** Undefined: there is none, or it cannot be parsed. */
export function parseIntent(state: unknown): RotationIntent | undefined {
  return INTENT.safeParse(state).data;
}

/**
 * The version that an earlier rotation has made, and the one before: a version that is newer than its newest, unless it was
 * made too long ago. Undefined: there is none, or the key was created again since.
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

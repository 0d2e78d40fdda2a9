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
  /** The lease was held until the in-flight writes of its holder, a version or its record, had landed or never would. */
  waited: z.boolean().default(false),
});
export type RotationIntent = z.output<typeof INTENT>;

/** Undefined: there is none, or it cannot be parsed. */
export function parseIntent(state: unknown): RotationIntent | undefined {
  return INTENT.safeParse(state).data;
}

/** Result of an earlier rotation, by the versions of the key. */
type RotationResult =
  | { readonly result: 'made'; readonly from: KeyVersion; readonly to: KeyVersion }
  /** The new version may still appear. */
  | { readonly result: 'indeterminate' }
  /** It took no effect, or the key was created again since. */
  | { readonly result: 'none' };

/** A version that is newer than the one before counts as the result, unless it was made too long ago. */
export function resultOfIntent(intent: RotationIntent, versions: readonly KeyVersion[], now: Date): RotationResult {
  const before = findVersion(versions, intent.from);
  const [from, to] = [...versions].sort(compareAge).slice(-2);
  if (!before || !from) return { result: 'none' };
  if (!to || compareAge(to, before) <= 0) return { result: intent.waited ? 'none' : 'indeterminate' };
  return now.getTime() - to.createdOn.getTime() > OLDEST_MS ? { result: 'none' } : { result: 'made', from, to };
}

import { z } from 'zod';
import { compareAge, findVersion, type KeyVersion } from '../keys/key-versions.ts';
import { DAY_MS } from '../time/spans.ts';

/** An older version is not taken for what a rotation has left: the trail would have to be read that far back. Milliseconds. */
const OLDEST_MS = 7 * DAY_MS;

/**
 * What is about to be done to a key, kept with its lease: who comes next knows that a new version may be on its way. Who may
 * write leases can write it: it says that something may have been left, and what that is, is read from Key Vault.
 */
const INTENT = z.object({
  /** The newest version before it. */
  from: z.string(),
  /** No version is asked for: one that a broken-off rotation has left is completed. */
  completes: z.boolean().default(false),
  /** The lease was kept for as long as what its holder had sent, a version or its record, may still appear. */
  waited: z.boolean().default(false),
});
export type RotationIntent = z.output<typeof INTENT>;

/** Undefined: there is none, or what is there is none of ours. */
export function parseIntent(state: unknown): RotationIntent | undefined {
  return INTENT.safeParse(state).data;
}

/** What the versions of a key show of a rotation that was begun. */
type Sighting =
  | { readonly seen: 'made'; readonly from: KeyVersion; readonly to: KeyVersion }
  /** It may still appear. */
  | { readonly seen: 'open' }
  /** It took no effect, or the key was made anew since. */
  | { readonly seen: 'nothing' };

/** A version that is newer than the one before is taken for the result, unless it was made too long ago. */
export function sight(intent: RotationIntent, versions: readonly KeyVersion[], now: Date): Sighting {
  const before = findVersion(versions, intent.from);
  const [from, to] = [...versions].sort(compareAge).slice(-2);
  if (!before || !from) return { seen: 'nothing' };
  if (!to || compareAge(to, before) <= 0) return { seen: intent.waited ? 'nothing' : 'open' };
  return now.getTime() - to.createdOn.getTime() > OLDEST_MS ? { seen: 'nothing' } : { seen: 'made', from, to };
}

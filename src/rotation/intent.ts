import { z } from 'zod';
import { compareAge, findVersion, type KeyVersion, newestVersion } from '../keys/key-versions.ts';

/** What is about to be done to a key, kept with its lease: who comes next knows that a new version may be on its way. */
const INTENT = z.object({
  /** Of the rotation, and of its record in the audit trail. */
  id: z.string(),
  /** The newest version before it. */
  from: z.string(),
  /** Before Key Vault was asked (ISO 8601). */
  at: z.iso.datetime(),
  cause: z.string(),
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

/** A version that is newer than the one before is taken for the result. */
export function sight(intent: RotationIntent, versions: readonly KeyVersion[]): Sighting {
  const from = findVersion(versions, intent.from);
  const to = newestVersion(versions);
  if (!from || !to) return { seen: 'nothing' };
  if (compareAge(to, from) > 0) return { seen: 'made', from, to };
  return { seen: intent.waited ? 'nothing' : 'open' };
}

import type { KeyVersion } from '../keys/key-versions.ts';
import { readRevocation } from '../revocation/revocation.ts';
import { closedOn } from '../revocation/revocation-plans.ts';
import type { KeyChange } from './effect.ts';

/**
 * The last change of a key by its tags, and what its accounts should show since: blocked by its open revocation, or open by
 * the restore of the last one. Undefined: the key was never revoked.
 */
export function changeShown(versions: readonly KeyVersion[], now: Date): KeyChange | undefined {
  const { open, restored } = readRevocation(versions, now);
  if (open) return { expect: 'blocked', since: open.revokedOn.toISOString() };
  if (!restored) return undefined;
  // The restore is timed by Key Vault's clock, which may be behind that of the instance that revoked.
  const sinceMs = Math.max(closedOn(versions, restored, now).getTime(), restored.revokedOn.getTime() + 1);
  return { expect: 'open', since: new Date(sinceMs).toISOString() };
}

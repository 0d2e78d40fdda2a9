import type { KeyVersion } from '../keys/key-versions.ts';
import { readRevocation } from '../revocation/revocation.ts';
import { closedOn } from '../revocation/revocation-plans.ts';
import type { KeyChange } from './effect.ts';

/**
 * What the key shows to be expected of its accounts, and since when: its open revocation, or the restore of the last one.
 * Undefined: it was never revoked.
 */
export function changeShown(versions: readonly KeyVersion[], now: Date): KeyChange | undefined {
  const { open, restored } = readRevocation(versions, now);
  if (open) return { expect: 'blocked', since: open.revokedOn.toISOString() };
  if (!restored) return undefined;
  // By Key Vault's clock, which may be behind that of whoever revoked.
  const sinceMs = Math.max(closedOn(versions, restored, now).getTime(), restored.revokedOn.getTime() + 1);
  return { expect: 'open', since: new Date(sinceMs).toISOString() };
}

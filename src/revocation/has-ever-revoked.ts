import { withDeadline } from '../azure/deadline.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { CLOCKS_MS } from '../time/spans.ts';
import type { KeyTrail } from './key-trail.ts';
import { isNewer, isRevoker, openRecords, type RevocationName, readRevocation } from './revocation.ts';
import { hasRevoked } from './revokers.ts';

/** Deadline for reading the audit trail, which may reach back to the creation of the key. Milliseconds. */
const TRAIL_MS = 20_000;

/**
 * Whether the caller made a revocation that is not restored. Reads the key's tags, and also the audit trail if the tags
 * omit revokers.
 *
 * @throws the SDK's error when the app cannot read the trail, or not in time
 */
export async function hasEverRevoked(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  objectId: string,
  keyTrail: KeyTrail,
  now: Date,
): Promise<boolean> {
  if (isRevoker(versions, objectId, now)) return true;
  if (!openRecords(versions, now).some(({ isPartial }) => isPartial)) return false;
  const { restored } = readRevocation(versions, now);
  const made = Math.min(...versions.map(({ createdOn }) => createdOn.getTime()));
  const since = new Date((restored?.revokedOn.getTime() ?? made) - CLOCKS_MS);
  const events = await withDeadline(TRAIL_MS, 'The app could not read the audit trail', (signal) =>
    keyTrail(key, since, signal),
  );
  // The trail's restores count too, because a later revocation overwrites a restore's record in the tags.
  const closed = events.flatMap(({ did, isComplete, revocation }) =>
    did === 'restore' && isComplete ? revocation : [],
  );
  const isOpen = (revocation: RevocationName): boolean =>
    [...closed, ...(restored ? [restored] : [])].every((one) => isNewer(revocation, one));
  return events.some(
    ({ did, revocation, by }) =>
      did === 'revoke' && isOpen(revocation) && (by === objectId.toLowerCase() || hasRevoked(revocation, objectId)),
  );
}

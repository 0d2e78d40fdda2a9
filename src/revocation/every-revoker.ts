import { DeadlineError, timeBoxed, untilAborted } from '../azure/deadline.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { CLOCKS_MS } from '../time/spans.ts';
import type { KeyTrail, RevocationEvent } from './key-trail.ts';
import { isNewer, openRecords, type RevocationStamp, readRevocation, revokers } from './revocation.ts';

/** The trail may have to be read back to when the key was made. Milliseconds. */
const TRAIL_MS = 20_000;

/**
 * Object ids, in lower case, of every caller whose revocation of the key is not restored: by its tags, and by the audit trail
 * if the tags say that not all fit.
 *
 * @throws the SDK's error when the trail cannot be read, or not in time
 */
export async function everyRevoker(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  keyTrail: KeyTrail,
  now: Date,
): Promise<ReadonlySet<string>> {
  const all = new Set(revokers(versions, now));
  if (!openRecords(versions, now).some(({ isPartial }) => isPartial)) return all;
  const { restored } = readRevocation(versions, now);
  const made = Math.min(...versions.map(({ createdOn }) => createdOn.getTime()));
  const since = new Date((restored?.revokedOn.getTime() ?? made) - CLOCKS_MS);
  let events: readonly RevocationEvent[] = [];
  const isRead = await timeBoxed((signal) => {
    const reading = keyTrail(key, since, signal).then((read) => {
      events = read;
    });
    return untilAborted(reading, signal);
  }, TRAIL_MS);
  if (!isRead) throw new DeadlineError('The audit trail could not be read', TRAIL_MS);
  // A restore counts by the trail too, since a later revocation overwrites what it left in the tags.
  const closed = events.flatMap(({ did, isComplete, revocation }) =>
    did === 'restore' && isComplete ? revocation : [],
  );
  const isOpen = (revocation: RevocationStamp): boolean =>
    [...closed, ...(restored ? [restored] : [])].every((one) => isNewer(revocation, one));
  for (const { did, revocation, by } of events) {
    if (did !== 'revoke' || !isOpen(revocation)) continue;
    for (const id of [by, revocation.revokedBy, ...(revocation.joined ?? [])]) all.add(id.toLowerCase());
  }
  return all;
}

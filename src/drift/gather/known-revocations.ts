import type { AuditEntry } from '../../audit/record.ts';
import { getKnown } from '../../azure/read-or-why.ts';
import { CLOCKS_MS } from '../../formats/spans.ts';
import { parseRevocationEvent, type RevocationEvent } from '../../revocation/key-trail.ts';
import { isNewer, type RevocationName, readRevocation } from '../../revocation/revocation.ts';
import type { KeySubject } from '../checks/subjects.ts';
import type { KnownRevocation } from '../report/report.ts';

// Any tool that writes a key's tags can remove the record of a revocation, so the check remembers the revocation.

/** A revocation or restore of any key in the audit trail. */
export type KeyEvent = Pick<RevocationEvent, 'did' | 'revocation' | 'by'> & { readonly key: string };

/**
 * Parses an audit record; undefined if it is no revocation or restore. A revocation that failed at every version is none:
 * the tags have no record of it that another tool could remove.
 */
export function parseKeyRecord(entry: AuditEntry): KeyEvent | undefined {
  if (!entry.action.startsWith('key.re')) return undefined;
  const event = parseRevocationEvent(entry, { id: entry.resource });
  if (!event || (event.did === 'revoke' && !event.wasRecorded)) return undefined;
  return { ...event, key: entry.resource.toLowerCase() };
}

/**
 * Finds the newest revocation of each key that no restore has ended, and passes it to the key's subject if its tags show
 * no revocation.
 *
 * @param before revocations that the previous check knew
 * @param events of the audit trail since then, in any order
 * @returns the revocations that the next check must know
 */
export function findOpenRevocations(
  before: readonly KnownRevocation[],
  events: readonly KeyEvent[],
  keys: readonly KeySubject[],
  now: Date,
): KnownRevocation[] {
  const open = openInTrail(before, events);

  for (const subject of keys) {
    const name = subject.key.id.toLowerCase();
    const next = openOf(subject, open.get(name), now);
    if (next) open.set(name, next);
    else open.delete(name);
  }

  return [...open.values()];
}

function openInTrail(before: readonly KnownRevocation[], events: readonly KeyEvent[]): Map<string, KnownRevocation> {
  const open = new Map(before.map((one) => [one.key, one]));

  for (const { key, revocation, by } of events.filter(({ did }) => did === 'revoke')) {
    const other = open.get(key);
    if (other && !isNewer(revocation, nameOf(other))) continue;

    const { id, revokedOn } = revocation;
    open.set(key, { key, id, revokedOn: revokedOn.toISOString(), revokedBy: by });
  }

  for (const { key, revocation } of events.filter(({ did }) => did === 'restore')) {
    const revoked = open.get(key);
    if (revoked && !isNewer(nameOf(revoked), revocation)) open.delete(key);
  }

  return open;
}

/** The revocation of a key to remember. */
function openOf(subject: KeySubject, revoked: KnownRevocation | undefined, now: Date): KnownRevocation | undefined {
  const versions = getKnown(subject.versions) ?? [];
  if (versions.length === 0) return revoked;

  const { open, restored } = readRevocation(versions, now);
  if (open && (!revoked || isNewer(open, nameOf(revoked)))) {
    const { id, revokedOn, revokedBy } = open;
    return { key: subject.key.id.toLowerCase(), id, revokedOn: revokedOn.toISOString(), revokedBy };
  }

  if (!revoked || open) return revoked;

  const name = nameOf(revoked);
  if (restored && !isNewer(name, restored)) return undefined;

  // A key that was purged and created again has no version of the revoked one.
  const latest = name.revokedOn.getTime() + CLOCKS_MS;
  if (versions.every(({ createdOn }) => createdOn.getTime() > latest)) return undefined;

  subject.lostRevocation = revoked;

  return revoked;
}

function nameOf({ id, revokedOn }: KnownRevocation): RevocationName {
  return { id, revokedOn: new Date(revokedOn) };
}

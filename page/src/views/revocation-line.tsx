import type { AuditList, AuditRecordView, KeyStatusResponse } from '../api/types.ts';
import { usePoll } from '../api/use-poll.ts';
import { has, type Names, namesIn, usePerson } from '../person.ts';
import { Since } from '../ui/time.tsx';

/**
 * The records of revocations, with who revoked and why. Sends no request if no key is revoked.
 *
 * @param key `<vault>/<key>`; absent: all keys
 */
export function useRevokeRecords(isRevoked: boolean, key?: string): readonly AuditRecordView[] | undefined {
  const isAsked = has(usePerson(), 'CmkKey.Read') && isRevoked;
  const query = new URLSearchParams({ action: 'key.revoke', ...(key === undefined ? {} : { key }) });
  return usePoll<AuditList>(isAsked ? `/audit?${query}` : undefined, 15_000).data?.value;
}

interface RevocationLineProps {
  readonly revocation: KeyStatusResponse['revocation'];
  /** Records of the audit trail, as far as they were read: a revocation itself has no names and no reason. */
  readonly records?: readonly AuditRecordView[] | undefined;
}

/** Who revoked, since when, and why. */
export function RevocationLine({ revocation, records = [] }: RevocationLineProps) {
  if (!revocation) return null;

  const { id, revokedOn, revokedBy, restoringBy } = revocation;
  const names = namesIn(records);
  const { why, ticket } = reasonOf(id, records);

  return (
    <p class="detail">
      Revoked <Since at={revokedOn} /> by <Who id={revokedBy} names={names} />
      {why && <>: “{why}”</>}
      {ticket && `, ticket ${ticket}`}
      {restoringBy && (
        <>
          ; being restored by <Who id={restoringBy} names={names} />
        </>
      )}
    </p>
  );
}

/** The reason in the record of a revocation. */
function reasonOf(
  id: string,
  records: readonly AuditRecordView[],
): { readonly why?: string; readonly ticket?: string } {
  for (const { entry } of records) {
    const { revocation, why, ticket } = entry.details ?? {};
    const isOfIt = (revocation as { readonly id?: unknown } | undefined)?.id === id || revocation === id;
    if (entry.action !== 'key.revoke' || !isOfIt || typeof why !== 'string') continue;
    return { why, ...(typeof ticket === 'string' ? { ticket } : {}) };
  }

  return {};
}

/** The name if it is known, with the object id, which is certain, on hover. */
function Who({ id, names }: { readonly id: string; readonly names: Names }) {
  const me = usePerson();
  const name = id.toLowerCase() === me.objectId ? `you (${me.name})` : names.get(id.toLowerCase());
  return name ? <span title={id}>{name}</span> : <span class="mono">{id}</span>;
}

import type { AuditList, AuditRecordView, KeyStatusResponse } from '../api/types.ts';
import { usePoll } from '../api/use-poll.ts';
import { has, type Names, namesIn, usePerson } from '../person.ts';
import { Since } from '../ui/time.tsx';

/**
 * The records of revocations: who revoked and why. None are asked for where no key is revoked.
 *
 * @param key `<vault>/<key>`; absent: of all keys
 */
export function useRevokeRecords(isRevoked: boolean, key?: string): readonly AuditRecordView[] | undefined {
  const isAsked = has(usePerson(), 'CmkKey.Read') && isRevoked;
  const query = new URLSearchParams({ action: 'key.revoke', ...(key === undefined ? {} : { key }) });
  return usePoll<AuditList>(isAsked ? `/audit?${query}` : undefined, 15_000).data?.value;
}

interface RevocationLineProps {
  readonly revocation: KeyStatusResponse['revocation'];
  /** Of the audit trail, as far as they were read: names and the reason are not kept with a revocation. */
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

/** What the record of a revocation says of why. */
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

/** By name where one is known, with the object id, which is what is sure, on hover. */
function Who({ id, names }: { readonly id: string; readonly names: Names }) {
  const me = usePerson();
  const name = id.toLowerCase() === me.objectId ? `you (${me.name})` : names.get(id.toLowerCase());
  return name ? <span title={id}>{name}</span> : <span class="mono">{id}</span>;
}

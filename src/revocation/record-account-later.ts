import type { RecordAudit } from '../audit/audit-trail.ts';
import type { AccountRevocationWork } from '../work/messages.ts';
import type { AccountPart, AccountTags } from './account-part.ts';
import { openOfPart, resourceOfPart } from './account-record.ts';
import type { AccountTrail } from './account-trail.ts';
import { recordId } from './record-revocation.ts';

/** Milliseconds. */
const AUDIT_WAIT_MS = 10_000;

/**
 * The audit record of a revocation, or a restore, of which its own process has written none: it was killed, or the trail was
 * out of reach. That it took effect is told by the account's tags and by what is on record since. Never recorded twice.
 *
 * @param since when the trail begins to be of interest
 * @throws the SDK's error when tags or trail cannot be read, or an error that says why it is not on record
 */
export async function recordAccountLater(
  { account, part }: Pick<AccountPart, 'account' | 'part'>,
  { did, revocation, call }: NonNullable<AccountRevocationWork['done']>,
  since: Date,
  services: {
    readonly tags: Pick<AccountTags, 'read'>;
    readonly audit: RecordAudit;
    readonly accountTrail: AccountTrail;
    readonly now: () => Date;
  },
): Promise<void> {
  const resource = resourceOfPart(account, part);
  const record = openOfPart(await services.tags.read(account), part, services.now()).find(
    ({ id }) => id === revocation.id,
  );
  const words = await services.accountTrail(resource, since);
  const isClosed = words.some(({ closed }) => closed.includes(revocation.id));
  // A message that a restore has sent says that nothing refused it, when the record was still there.
  const isBegun = did === 'revoke' ? record !== undefined || isClosed : record === undefined && !isClosed;
  if (!isBegun) return;
  const { caller, correlationId, why, ticket } = call;
  const more =
    did === 'revoke'
      ? { revocation: { ...revocation, ...(record ? { revokedOn: record.revokedOn, took: record.took } : {}) } }
      : { revocation, closed: [revocation.id] };
  const entry = {
    id: recordId(`account.${did}`, revocation.id, caller.objectId),
    action: `account.${did}`,
    // That all of it was taken away is not known from the record.
    reason: did === 'revoke' ? 'AccountRevocationIncomplete' : 'AccountRestored',
    resource,
    caller,
    correlationId,
    details: { why, ticket, ...more, foundLater: true },
  };
  const outcome = await services.audit(entry, AUDIT_WAIT_MS, since);
  if ('failed' in outcome) throw new Error(`Not in the audit trail: ${outcome.failed}`);
}

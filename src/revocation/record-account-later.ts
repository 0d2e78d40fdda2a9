import type { RecordAudit } from '../audit/audit-trail.ts';
import type { AccountRevocationWork } from '../work/messages.ts';
import type { AccountPart, AccountTags } from './account-part.ts';
import { openOfPart, resourceOfPart } from './account-record.ts';
import type { AccountTrail } from './account-trail.ts';
import { foundLater, LATER_WAIT_MS, onRecord } from './record-revocation.ts';

/**
 * The audit record of a revocation, or a restore, of which its own process has written none: it was killed, or the trail was
 * out of reach. That it took effect is told by the account's tags and by what is on record since. Never recorded twice.
 *
 * @param since when the trail begins to be of interest
 * @throws the SDK's error when tags or trail cannot be read, and what `onRecord` throws
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
  const entry =
    did === 'revoke'
      ? foundLater(
          {
            action: 'account.revoke',
            // That all of it was taken away is not known from the record.
            reason: 'AccountRevocationIncomplete',
            resource,
            revocation: { ...revocation, ...(record ? { revokedOn: record.revokedOn, took: record.took } : {}) },
          },
          call,
        )
      : foundLater({ action: 'account.restore', reason: 'AccountRestored', resource, revocation }, call, {
          closed: [revocation.id],
        });
  await onRecord(services.audit(entry, LATER_WAIT_MS, since));
}

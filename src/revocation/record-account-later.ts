import type { RecordAudit } from '../audit/audit-trail.ts';
import type { AccountRevocationWork } from '../work/messages.ts';
import type { AccountPart, AccountTags } from './account-part.ts';
import { madeAs, openOfPart, resourceOfPart, restOf } from './account-record.ts';
import type { AccountTrail, AccountWord } from './account-trail.ts';
import { foundLater, LATER_WAIT_MS, onRecord } from './record-revocation.ts';

/**
 * The audit record of a revocation, or a restore, of which its own process has written none: it was killed, or the trail was
 * out of reach. That it took effect is told by the account's tags and by what is on record since. Never recorded twice.
 *
 * @param since when the trail begins to be of interest
 * @returns false: it may never have been begun, or a restore may have closed it just now, and be about to say so
 * @throws the SDK's error when tags or trail cannot be read, and what `onRecord` throws
 */
export async function recordAccountLater(
  { account, part }: Pick<AccountPart, 'account' | 'part'>,
  { did, revocation, call, gives, closes = [] }: NonNullable<AccountRevocationWork['done']>,
  since: Date,
  services: {
    readonly tags: Pick<AccountTags, 'read'>;
    readonly audit: RecordAudit;
    readonly accountTrail: AccountTrail;
    readonly now: () => Date;
  },
): Promise<boolean> {
  const resource = resourceOfPart(account, part);
  const { id } = revocation;
  const open = openOfPart(await services.tags.read(account), part, services.now());
  const record = open.find((one) => one.id === id);
  const words = await services.accountTrail(resource, since);
  const restores = words.filter(({ closed }) => closed.includes(id));
  const isRevoke = (word: AccountWord) => word.did === 'revoke' && word.revocation === madeAs(id);
  const write = async (entry: Parameters<RecordAudit>[0]): Promise<true> => {
    await onRecord(services.audit(entry, LATER_WAIT_MS, since));
    return true;
  };
  if (did === 'revoke') {
    if (words.some(isRevoke)) return true;
    if (record === undefined && restores.length === 0) return false;
    const revoked = { ...revocation, ...(record ? { revokedOn: record.revokedOn, took: record.took } : {}) };
    // That all of it was taken away is not known from the record.
    const reason = 'AccountRevocationIncomplete';
    return write(foundLater({ action: 'account.revoke', reason, resource, revocation: revoked }, call));
  }
  // A message that a restore has sent says that nothing refused it, when the record was still there; an incomplete one may
  // have been repeated since, and have been seen to its end then.
  if (record !== undefined || restores.some(({ reason }) => reason !== 'AccountRestoreIncomplete')) return true;
  const earlier = new Date(Math.min(since.getTime(), Date.parse(revocation.revokedOn)));
  const isKnown = restores.length > 0 || (await services.accountTrail(resource, earlier)).some(isRevoke);
  const more = {
    closed: [...new Set([id, ...closes])].filter((one) => open.every((other) => other.id !== one)),
    // Whoever may write the queue can have made it up: whoever reads this has to know.
    ...(isKnown ? {} : { byMessageAlone: true }),
  };
  // What it was to give is known by neither: whether it has, nobody can have looked.
  const isUnseen = gives === undefined && !isKnown;
  const hasRest = open.some((one) => one.id === restOf(id));
  const reason = hasRest || isUnseen ? 'AccountRestoreIncomplete' : 'AccountRestored';
  return write(foundLater({ action: 'account.restore', reason, resource, revocation }, call, more));
}

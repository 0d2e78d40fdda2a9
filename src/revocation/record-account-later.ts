import type { RecordAudit } from '../audit/audit-trail.ts';
import { DAY_MS } from '../time/spans.ts';
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
  const isBacked = restores.some(({ byMessageAlone }) => !byMessageAlone);
  const write = async (entry: Parameters<RecordAudit>[0]): Promise<true> => {
    await onRecord(services.audit(entry, LATER_WAIT_MS, since));
    return true;
  };
  if (did === 'revoke') {
    if (words.some((word) => isRevoke(word, id))) return true;
    if (record === undefined && restores.length === 0) return false;
    const revoked = { ...revocation, ...(record ? { revokedOn: record.revokedOn, took: record.took } : {}) };
    // That all of it was taken away is not known from the record.
    const reason = 'AccountRevocationIncomplete';
    const more = flagged(record !== undefined || isBacked);
    const what = { action: 'account.revoke', reason, resource, revocation: revoked } as const;
    return write(foundLater(what, call, record?.revokedBy, more));
  }
  // A message that a restore has sent says that nothing refused it, when the record was still there; an incomplete one may
  // have been repeated since, and have been seen to its end then. What a message alone has said of it is no proof.
  const ended = restores.some(({ reason, byMessageAlone }) => reason !== 'AccountRestoreIncomplete' && !byMessageAlone);
  if (record !== undefined || ended) return true;
  const closed = [...new Set([id, ...closes])].filter((one) => open.every((other) => other.id !== one));
  const unknown = await notOnRecord(closed, revocation, words, since, (from) => services.accountTrail(resource, from));
  // What it was to give is known by neither: whether it has, nobody can have looked.
  const isUnseen = gives === undefined && unknown.includes(id);
  const hasRest = open.some((one) => one.id === restOf(id));
  const reason = hasRest || isUnseen ? 'AccountRestoreIncomplete' : 'AccountRestored';
  const more = { closed, ...flagged(unknown.length === 0) };
  // Nothing but the message says who restored.
  return write(foundLater({ action: 'account.restore', reason, resource, revocation }, call, undefined, more));
}

/** Whoever may write the queue can have made it up: whoever reads this has to know. */
function flagged(isKnown: boolean): { readonly byMessageAlone?: true } {
  return isKnown ? {} : { byMessageAlone: true };
}

function isRevoke({ did, revocation }: AccountWord, id: string): boolean {
  return did === 'revoke' && revocation === madeAs(id);
}

/**
 * Which of these the trail has neither as revoked nor as closed by a restore: the named one since it was revoked, by the
 * message, and others, of which that does not say when it was, in the month before that.
 */
async function notOnRecord(
  ids: readonly string[],
  named: NonNullable<AccountRevocationWork['done']>['revocation'],
  words: readonly AccountWord[],
  since: Date,
  read: (from: Date) => Promise<readonly AccountWord[]>,
): Promise<readonly string[]> {
  const lacking = (said: readonly AccountWord[]): readonly string[] => {
    const backed = said.filter(({ byMessageAlone }) => !byMessageAlone);
    return ids.filter((id) => !backed.some((word) => isRevoke(word, id) || word.closed.includes(id)));
  };
  const unknown = lacking(words);
  if (unknown.length === 0) return unknown;
  const monthMs = unknown.some((id) => id !== named.id) ? 31 * DAY_MS : 0;
  return lacking(await read(new Date(Math.min(since.getTime(), Date.parse(named.revokedOn)) - monthMs)));
}

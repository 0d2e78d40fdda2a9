import { twice } from '../azure/retry-once.ts';
import { CLOCKS_MS } from '../time/spans.ts';
import type { AccountRevocationWork } from '../work/messages.ts';
import type { AccountPart, AccountPorts } from './account-part.ts';
import {
  type AccountRevocation,
  accountRevokers,
  allTaken,
  formatAccountRevocation,
  MOST_JOINED_BELOW_KEY,
  openOfPart,
  restOf,
  type Taken,
  tagsOfRecord,
  takenId,
} from './account-record.ts';
import { type AccountWord, isRestored } from './account-trail.ts';
import { SECOND_LOOKS } from './look-message.ts';
import { missingOf } from './of-account.ts';

/** What is missing later than this after a restore was taken away by a person. Milliseconds. */
const LATE_REMOVAL_MS = 15 * 60_000;
/** So long after a restore a look at it is to come, whatever the clocks say. Milliseconds. */
const IS_LOOKED_AT_MS = Math.max(...SECOND_LOOKS) * 1_000 - CLOCKS_MS;

/**
 * A record that grew while it was taken away may be written over by its beginning, which came late: it is written again as
 * the audit trail has it. Where nothing of it is left, somebody has taken the tags away: that is no write of this app.
 *
 * @param record as it was when the revocation was done
 * @returns whether it was written
 * @throws the SDK's error when tags cannot be read or written
 */
export async function mendRecord(
  { account, part }: Pick<AccountPart, 'account' | 'part'>,
  record: AccountRevocation,
  { tags, now, sleep }: AccountPorts,
): Promise<boolean> {
  const all = await tags.read(account);
  const shown = tagsOfRecord(all, record.id);
  // A look may have put more into it since.
  const stands = openOfPart(all, part, now()).filter(({ id }) => id === record.id);
  const wanted = formatAccountRevocation({ ...record, took: allTaken([record, ...stands]) }) ?? {};
  const isThere = Object.entries(wanted).every(([name, value]) => shown[name] === value);
  if (isThere || Object.keys(shown).length === 0) return false;
  await twice(() => tags.merge(account, wanted), sleep);
  return true;
}

/**
 * A restore that died right after it had taken the record away may have closed a revocation that was not at its end: what that
 * took then is missing, and in no record. It is put on record, so that the restore can be repeated. By an id of its own, which
 * no call has made, so that no look takes away by it what was given. The revocation's process may have died with it, and have
 * left no word: then the message alone says what it took. Nothing is given or taken by that: whoever makes such a message up
 * gets a record, as whoever may write tags can, and a restore of it is a second person's call.
 *
 * @param done the restore
 * @param open the revocations that stand
 * @returns what is on record since
 * @throws the SDK's error when tags cannot be written, or roles cannot be read
 */
export async function recordRest(
  part: Pick<AccountPart, 'account' | 'part' | 'isHeld'>,
  { revocation, gives = [], closes = [] }: NonNullable<AccountRevocationWork['done']>,
  words: readonly AccountWord[],
  open: readonly AccountRevocation[],
  { tags, sleep }: Pick<AccountPorts, 'tags' | 'sleep'>,
): Promise<readonly Taken[]> {
  const id = revocation.id.toLowerCase();
  const isClosed = words.some(({ reason, closed }) => reason === 'AccountRestored' && closed.includes(id));
  if (isClosed || open.some((one) => one.id === id)) return [];
  // One that it had joined may have been at work still, too, and have said last what it took.
  const ids = new Set([id, ...closes]);
  const said = words.flatMap(({ record }) => (record && ids.has(record.id) ? record : []));
  const stands = open.filter((one) => one.id === restOf(id));
  const known = new Set(allTaken(open).map(takenId));
  const took = allTaken([...said, { took: gives }]).filter((one) => !known.has(takenId(one)));
  const missing = await missingOf(part, took);
  const [stamp = { ...revocation, revokedOn: new Date(revocation.revokedOn), part: part.part }] = [
    ...said.filter((one) => one.id === id),
    ...stands,
  ];
  const rest = formatAccountRevocation({ ...stamp, id: restOf(id), took: allTaken([...stands, { took: missing }]) });
  if (missing.length === 0 || !rest) return [];
  await twice(() => tags.merge(part.account, rest), sleep);
  return missing;
}

/**
 * A revocation that was still at work when it was restored puts its record back, with more in it than the restore has given.
 * What nobody gives by the word of the trail is in these tags alone, which are about to go, or in the trail alone: it is put on
 * record as the rest of it.
 *
 * @param restored records that came back after they were restored, and those of which more was taken then
 * @param open what stands beside those
 * @param given what looks at the restore give, now or later
 * @returns what is on record since
 * @throws the SDK's error when tags cannot be written, or roles cannot be read
 */
export async function recordUnsaid(
  part: Pick<AccountPart, 'account' | 'isHeld'>,
  restored: readonly AccountRevocation[],
  open: readonly AccountRevocation[],
  given: readonly Taken[],
  { tags, sleep }: Pick<AccountPorts, 'tags' | 'sleep'>,
): Promise<readonly Taken[]> {
  const known = new Set(allTaken(open).map(takenId));
  const took = allTaken(restored).filter((one) => !known.has(takenId(one)));
  const said = new Set(given.map(takenId));
  const missing = await missingOf(part, took);
  const [newest] = restored;
  if (!newest || missing.every((one) => said.has(takenId(one)))) return [];
  const id = restOf(newest.id);
  const stands = open.filter((one) => one.id === id);
  // Who revoked any of it may not restore it.
  const others = accountRevokers([...restored, ...stands]).filter((by) => by !== newest.revokedBy.toLowerCase());
  const joined = others.length > 0 ? { joined: others.slice(0, MOST_JOINED_BELOW_KEY) } : {};
  const rest = formatAccountRevocation({ ...newest, ...joined, id, took: allTaken([...stands, { took: missing }]) });
  if (!rest) return [];
  await twice(() => tags.merge(part.account, rest), sleep);
  return missing;
}

/**
 * What a revocation has taken that a restore had closed before its end, and may not have seen: by its own word, and by its
 * message, as a look may have put it on record for dead.
 *
 * @param done the revocation
 */
export function endedLate(
  { part }: Pick<AccountPart, 'part'>,
  { revocation, gives = [] }: NonNullable<AccountRevocationWork['done']>,
  words: readonly AccountWord[],
): readonly AccountRevocation[] {
  const restoredAt = words.findIndex((word) => isRestored(word) && word.closed.includes(revocation.id));
  const isOwn = (word: AccountWord): boolean => word.record?.id === revocation.id;
  if (restoredAt === -1 || words.slice(restoredAt).some(isOwn)) return [];
  const took = allTaken([...words.filter(isOwn).map(({ found }) => ({ took: found })), { took: gives }]);
  return [{ ...revocation, revokedOn: new Date(revocation.revokedOn), part, took }];
}

/** The restore that is the last word about a part, and what the looks at it give again where it is missing. */
interface LastRestore {
  readonly revocation: string;
  readonly gives: readonly Taken[];
  /** Whether one of those is still to come. */
  readonly isLookedAt: boolean;
}

/** @param closed ids of what calls have restored */
export function lastRestore(
  words: readonly AccountWord[],
  closed: ReadonlySet<string>,
  now: Date,
): LastRestore | undefined {
  // A revocation may be put on record after its restore.
  const last = words.find(
    ({ did, reason, revocation }) => reason !== 'RestoreOvertaken' && !(did === 'revoke' && closed.has(revocation)),
  );
  if (last?.did !== 'restore' || last.foundLater) return undefined;
  const ageMs = ({ on }: AccountWord): number => now.getTime() - on.getTime();
  // What came late after a restore just before this one was missing already when it was revoked anew.
  const lately = words.filter((word) => (isRestored(word) || word === last) && ageMs(word) <= LATE_REMOVAL_MS);
  const ids = new Set(lately.flatMap((word) => word.closed));
  // One that was still at work has put more into its record than the restore had seen.
  const grown = words.flatMap(({ revocation, found }) => (ids.has(revocation) ? found : []));
  const refused = new Set(last.refused.map(takenId));
  const all = allTaken([...lately.map((word) => ({ took: word.gives })), { took: grown }]);
  return {
    revocation: last.revocation,
    gives: all.filter((one) => !refused.has(takenId(one))),
    isLookedAt: ageMs(last) <= IS_LOOKED_AT_MS,
  };
}

/**
 * What a restore gave, and a write that came late took before a revocation looked, is in no record: the revocation that
 * stands gives it back in its turn.
 *
 * @param open the revocations that stand, newest first
 * @returns what is in the record since
 * @throws what `recordMore` throws
 */
export async function recordGivenBefore(
  part: Pick<AccountPart, 'account'>,
  words: readonly AccountWord[],
  open: readonly AccountRevocation[],
  ports: Pick<AccountPorts, 'tags' | 'sleep'>,
): Promise<readonly Taken[]> {
  const [newest] = open;
  const sinceMs = (newest?.revokedOn.getTime() ?? 0) - LATE_REMOVAL_MS;
  const gave = words.filter((word) => isRestored(word) && word.on.getTime() >= sinceMs);
  return recordMore(part, allTaken(gave.map(({ gives }) => ({ took: gives }))), open, ports);
}

/**
 * Has the newest of the open revocations give back what was taken away besides. One that is too long for tags stays as it is:
 * then the audit trail alone has it.
 *
 * @returns what no record had
 * @throws the SDK's error when tags cannot be written
 */
export async function recordMore(
  { account }: Pick<AccountPart, 'account'>,
  taken: readonly Taken[],
  open: readonly AccountRevocation[],
  { tags, sleep }: Pick<AccountPorts, 'tags' | 'sleep'>,
): Promise<readonly Taken[]> {
  const [newest] = open;
  const known = new Set(allTaken(open).map(takenId));
  const more = taken.filter((one) => !known.has(takenId(one)));
  if (!newest || more.length === 0) return [];
  const record = formatAccountRevocation({ ...newest, took: allTaken([...open, { took: more }]) });
  if (!record) return [];
  await twice(() => tags.merge(account, record), sleep);
  return more;
}

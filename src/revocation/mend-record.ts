import { twice } from '../azure/retry-once.ts';
import type { AccountPart, AccountPorts } from './account-part.ts';
import {
  type AccountRevocation,
  allTaken,
  formatAccountRevocation,
  openOfPart,
  type Taken,
  tagsOfRecord,
} from './account-record.ts';

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
 * Has the newest of the open revocations give back what was taken away besides. One that is too long for tags stays as it is:
 * then the audit trail alone has it.
 *
 * @throws the SDK's error when tags cannot be written
 */
export async function recordMore(
  { account }: Pick<AccountPart, 'account'>,
  taken: readonly Taken[],
  open: readonly AccountRevocation[],
  { tags, sleep }: Pick<AccountPorts, 'tags' | 'sleep'>,
): Promise<void> {
  const [newest] = open;
  const took = allTaken([...open, { took: taken }]);
  if (!newest || took.length === allTaken(open).length) return;
  const record = formatAccountRevocation({ ...newest, took });
  if (record) await twice(() => tags.merge(account, record), sleep);
}

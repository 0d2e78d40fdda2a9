import { describe, describeFailure, errorText } from '../azure/failure.ts';
import { twice } from '../azure/retry-once.ts';
import { CmkError } from '../errors.ts';
import type { AccountPart, AccountPorts } from './account-part.ts';
import {
  type AccountRevocation,
  accountRevokers,
  allTaken,
  formatAccountRevocation,
  MOST_JOINED_BELOW_KEY,
  openOfPart,
  type Taken,
  tagsOfRecord,
  takenId,
} from './account-record.ts';
import { isLocked, type TakenFailure, takeAll } from './change-access.ts';

/** What appears while it is taken away, or is overtaken by a late write, is seen to so often. */
export const WAVES = 3;

export interface AccountTaking {
  /** Whether a fresh read proves that nothing gives access any more, and that the record stands. */
  readonly complete: boolean;
  readonly revocation: AccountRevocation;
  /** All that its reads have shown to give access: of what is in the record, not that which another one says it took. */
  readonly found: readonly Taken[];
  /** What gives access still; undefined: it could not be read again. */
  readonly left: readonly Taken[] | undefined;
  readonly failures: readonly TakenFailure[];
  /** Why there is no proof. */
  readonly unproven?: string;
  readonly elapsedMs: number;
}

/**
 * Takes away what gives an account, or an encryption scope, access to its key. The record is written before anything is
 * taken, so that whoever comes next knows of it, whatever becomes of this process; a list is the proof. It joins what is
 * open already: what that took is in the newer record too, and whoever made it may not restore it.
 *
 * @throws `CmkError` `AccountNotRevocable`, `RecordNotWritten`, `MissingPermission`; the SDK's error when it cannot be read:
 *   nothing was changed
 */
export async function takeAccount(
  part: AccountPart,
  by: { readonly id: string; readonly revokedBy: string },
  ports: AccountPorts,
): Promise<AccountTaking> {
  const { tags, now } = ports;
  const startedMs = now().getTime();
  // What gives access is read first: what is gone from it by another revocation is in that one's record by then.
  let left: readonly Taken[] | undefined = await part.held();
  const open = openOfPart(await tags.read(part.account), part.part, now());
  let found = left;
  let revocation = joining(by, part, left, open, now());
  await writeRecord(part, revocation, ports);
  const failures = new Map<string, TakenFailure>();
  let unproven: string | undefined;
  let stands = true;
  let isDone = false;
  for (let wave = 1; wave <= WAVES && !isDone; wave += 1) {
    try {
      const more = (left ?? []).filter((one) => !revocation.took.some((known) => takenId(known) === takenId(one)));
      if (more.length > 0 || !stands) {
        revocation = { ...revocation, took: [...revocation.took, ...more] };
        await writeRecord(part, revocation, ports);
      }
      await takeAll(part, left ?? [], failures, ports);
      left = await twice(() => part.held(), ports.sleep);
      found = allTaken([{ took: found }, { took: left }]);
      if (open.length === 0 && isForbidden(revocation, left, failures)) break;
      stands = openOfPart(await tags.read(part.account), part.part, now()).some(({ id }) => id === by.id);
      unproven = left.length === 0 && stands ? await twice(() => part.doubt(), ports.sleep) : undefined;
      isDone = left.length === 0 && stands && unproven === undefined;
      // Another wave would find nothing either.
      if (unproven !== undefined) break;
    } catch (error) {
      left = undefined;
      unproven = errorText(error);
    }
  }
  if (!isDone && open.length === 0 && isForbidden(revocation, left, failures)) {
    const rest = await withdraw(part, revocation, ports);
    if (rest !== undefined) throw refusal(part, failures, rest);
    left = undefined;
    unproven = 'It was being restored at the same moment.';
  }
  return {
    complete: isDone,
    revocation,
    found,
    left,
    failures: [...failures.values()].filter(
      ({ taken }) => left?.some((one) => takenId(one) === takenId(taken)) ?? true,
    ),
    ...(unproven === undefined ? {} : { unproven }),
    elapsedMs: now().getTime() - startedMs,
  };
}

/** Whether Azure has refused all of it for good, and a read since then shows that nothing was taken away. */
function isForbidden(
  { took }: AccountRevocation,
  left: readonly Taken[] | undefined,
  failures: ReadonlyMap<string, TakenFailure>,
): boolean {
  const ids = new Set(left?.map(takenId));
  return (
    took.length > 0 && took.every((one) => ids.has(takenId(one)) && failures.get(takenId(one))?.forbidden === true)
  );
}

/**
 * A record of what was not begun would keep the account from being moved for nothing. But a restore that was under way may
 * have seen it, and have taken away what it had given: then the record is all that gives it back.
 *
 * @returns what is to be said of it; undefined: the record stands again
 */
async function withdraw(
  part: AccountPart,
  revocation: AccountRevocation,
  ports: AccountPorts,
): Promise<string | undefined> {
  const { tags, sleep } = ports;
  let rest = 'Nothing was changed.';
  try {
    const record = tagsOfRecord(await tags.read(part.account), revocation.id);
    await twice(() => tags.remove(part.account, record), sleep);
  } catch (error) {
    rest = `Nothing was taken away, and the record could not be withdrawn: ${errorText(error)}`;
  }
  const held = await twice(() => part.held(), sleep).catch(() => []);
  const ids = new Set(held.map(takenId));
  if (revocation.took.every((one) => ids.has(takenId(one)))) return rest;
  await writeRecord(part, revocation, ports);
  return undefined;
}

function refusal(part: AccountPart, failures: ReadonlyMap<string, TakenFailure>, rest: string): CmkError {
  const [first] = [...failures.values()];
  if (first?.locked) {
    return new CmkError(
      'AccountNotRevocable',
      `A lock keeps it from being taken away: ${first.error} ${rest}`,
      'Revoke an encryption scope of the account, or the key: a lock does not keep from that. Or take the lock off, repeat it, and put it back.',
    );
  }
  if (first?.block) return new CmkError('AccountNotRevocable', `${first.block.message} ${rest}`, first.block.nextStep);
  return new CmkError('MissingPermission', `Azure refuses to take it away: ${first?.error} ${rest}`, part.rights);
}

/** The record of a revocation that begins now: newer than all that are open, with all that these took. */
function joining(
  { id, revokedBy }: { readonly id: string; readonly revokedBy: string },
  { part }: AccountPart,
  held: readonly Taken[],
  open: readonly AccountRevocation[],
  now: Date,
): AccountRevocation {
  const joined = accountRevokers(open).filter((other) => other !== revokedBy.toLowerCase());
  const newest = Math.max(0, ...open.map(({ revokedOn }) => revokedOn.getTime() + 1));
  return {
    id,
    revokedOn: new Date(Math.max(now.getTime(), newest)),
    revokedBy,
    // Who revoked last is the first of them.
    ...(joined.length > 0 ? { joined: joined.slice(0, MOST_JOINED_BELOW_KEY) } : {}),
    part,
    took: allTaken([...open, { took: held }]),
  };
}

/** @throws {@link CmkError} `RecordNotWritten`: it does not stand, as a read shows, and nothing may be taken away */
async function writeRecord(part: AccountPart, revocation: AccountRevocation, { tags, sleep }: AccountPorts) {
  const record = formatAccountRevocation(revocation);
  if (!record) {
    throw new CmkError(
      'RecordNotWritten',
      `What gives access is more than the tags of ${part.account.name} can hold: ${revocation.took.length} assignments. Nothing was taken away.`,
      'Take assignments away that are there twice, then repeat it; or revoke the key.',
    );
  }
  try {
    await twice(() => tags.merge(part.account, record), sleep);
  } catch (error) {
    // Its answer may be lost, and it may stand all the same.
    const shown = await tags.read(part.account).catch(() => ({}));
    const stands = tagsOfRecord(shown, revocation.id);
    if (Object.entries(record).every(([name, value]) => stands[name] === value)) return;
    throw notWritten(part, error);
  }
}

function notWritten({ account }: AccountPart, error: unknown): CmkError {
  const failure = describeFailure(error);
  return new CmkError(
    'RecordNotWritten',
    `The record could not be written to the tags of ${account.name}: ${describe(failure)} Nothing was taken away.`,
    failure.kind === 'forbidden'
      ? 'It takes Microsoft.Resources/tags/write on the account, which the deployment parameter allowAccountRevocation gives the app; `cmk account revoke` on your own sign-in needs the same.'
      : isLocked(failure)
        ? 'A lock keeps the account from being changed: take it off, repeat it, and put it back. Or revoke the key.'
        : (failure.block?.nextStep ?? 'Repeat it; an account has at most 50 tags.'),
    { cause: error },
  );
}

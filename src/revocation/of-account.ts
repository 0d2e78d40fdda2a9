import { CmkError } from '../errors.ts';
import type { AccountPart } from './account-part.ts';
import { type AccountRevocation, type Taken, takenId } from './account-record.ts';

/** What cannot be of this account, by the identity and the vault that it has now, is nothing of it: undefined. */
export async function unlessRefused<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof CmkError) return undefined;
    throw error;
  }
}

/** Those that are of this account, and not there. */
export async function missingOf(part: Pick<AccountPart, 'isHeld'>, taken: readonly Taken[]): Promise<readonly Taken[]> {
  const held = await Promise.all(taken.map((one) => unlessRefused(() => part.isHeld(one))));
  return taken.filter((_, n) => held[n] === false);
}

interface StandingTaken {
  readonly taken: Taken;
  readonly of: AccountRevocation;
  readonly changedOn: Date | undefined;
}

/** What of the records, newest first, is there all the same. */
export async function standingOf(
  part: Pick<AccountPart, 'standing'>,
  open: readonly AccountRevocation[],
): Promise<readonly StandingTaken[]> {
  const all = new Map(open.toReversed().flatMap((of) => of.took.map((taken) => [takenId(taken), { taken, of }])));
  const read = [...all.values()].map(async (one): Promise<StandingTaken[]> => {
    const found = await unlessRefused(() => part.standing(one.taken));
    return found ? [{ ...one, changedOn: found.changedOn }] : [];
  });
  return (await Promise.all(read)).flat();
}

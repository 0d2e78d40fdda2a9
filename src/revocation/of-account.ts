import { CmkError } from '../errors.ts';
import type { AccountPart } from './account-part.ts';
import type { Taken } from './account-record.ts';

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

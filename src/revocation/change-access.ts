import type { Block } from '../azure/block.ts';
import { describeFailure, errorText, type Failure } from '../azure/failure.ts';
import { twice } from '../azure/retry-once.ts';
import { CmkError } from '../errors.ts';
import type { AccountPart, AccountPorts } from './account-part.ts';
import { type Taken, takenId } from './account-record.ts';

/** Something that was to be taken away, or given back, and was not. */
export interface TakenFailure {
  readonly taken: Taken;
  readonly error: string;
  /** Azure refuses for want of a right, or for a lock or a policy. */
  readonly forbidden: boolean;
  /** "Cannot delete" prevents the deletion of role assignments too (Azure Resource Manager, "Lock your resources"). */
  readonly locked: boolean;
  /** What keeps Azure from doing it, until an administrator takes that away. */
  readonly block?: Block;
  /** What to do, where to repeat the call does not help. */
  readonly nextStep?: string;
}

/** Takes these away, all at once; `failures` has, by what it is about, why something was not. */
export async function takeAll(
  part: AccountPart,
  taken: readonly Taken[],
  failures: Map<string, TakenFailure>,
  { sleep }: Pick<AccountPorts, 'sleep'>,
): Promise<void> {
  await Promise.all(
    taken.map(async (one) => {
      failures.delete(takenId(one));
      try {
        await twice(() => part.take(one), sleep);
      } catch (error) {
        failures.set(takenId(one), failureOf(one, error));
      }
    }),
  );
}

/** @throws the SDK's error when it is refused; an error when a read afterwards does not show it */
export async function giveOne(part: AccountPart, taken: Taken, { sleep }: Pick<AccountPorts, 'sleep'>): Promise<void> {
  await twice(() => part.give(taken), sleep);
  if (!(await twice(() => part.isHeld(taken), sleep))) throw new Error('A fresh read does not show it.');
}

export function failureOf(taken: Taken, error: unknown): TakenFailure {
  const failure = describeFailure(error);
  const locked = isLocked(failure);
  const own = error instanceof CmkError ? { nextStep: error.nextStep } : {};
  const block = failure.block ? { block: failure.block } : {};
  return {
    taken,
    error: errorText(error),
    forbidden: failure.kind === 'forbidden' || failure.kind === 'blocked',
    locked,
    ...block,
    ...own,
  };
}

/** The app itself does not give it: it can be none of what was taken, or is out of reach of whoever restores. */
export function isRefused({ nextStep }: TakenFailure): boolean {
  return nextStep !== undefined;
}

/** What to do about them; undefined: repeat the call. */
export function ownStepOf(failures: readonly TakenFailure[]): string | undefined {
  return failures.find(isRefused)?.nextStep;
}

/** What Azure Resource Manager says of a write or a deletion that a lock forbids. */
export function isLocked({ code }: Pick<Failure, 'code'>): boolean {
  return code === 'ScopeLocked';
}

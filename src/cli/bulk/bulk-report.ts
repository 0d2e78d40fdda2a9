import { lastName } from '../../azure/resource-id.ts';
import { CmkError } from '../../errors.ts';
import { count } from '../../text.ts';
import type { Cli } from '../cli.ts';
import { askBefore } from '../confirm.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Output } from '../output.ts';
import type { BulkResult } from './run-bulk.ts';

/** What a bulk command ends with. */
export interface BulkSummary extends BulkEnd {
  readonly counts: Readonly<Record<BulkResult['outcome'], number>>;
  readonly accounts: readonly BulkResult[];
}

interface BulkEnd {
  /** Where it is written down what is done; undefined: nothing is left to be done, or nothing is done. */
  readonly resumeFile?: string | undefined;
  /** Why nothing was begun. */
  readonly stopped?: string;
}

export function showPlan(plan: readonly BulkResult[], talk: Output): void {
  talk.list<BulkResult>(
    [
      ['ACCOUNT', ({ account }) => lastName(account)],
      ['PLAN', wordsOf],
    ],
    plan,
  );
  for (const note of new Set(plan.flatMap(({ notes }) => notes))) talk.note(note);
}

/** @throws {@link CmkError} `ConfirmationWrong` */
export async function confirmPlan(
  plan: readonly BulkResult[],
  { yes, name }: { yes: boolean; name: string },
  { context }: Cli,
): Promise<void> {
  const going = plan.filter(({ outcome }) => outcome === 'done');
  if (yes || going.length === 0) return;
  const what = `${name} ${count(going.length, 'account')}`;
  const typed = await askBefore(what, context.ask, () => `This will ${what}. Type yes to continue: `);
  if (/^y(?:es)?$/i.test(typed)) return;
  throw new CmkError('ConfirmationWrong', 'That is not yes; nothing was changed.', 'Type yes, or add --yes.');
}

export function wordsOf({ outcome, changes, error }: BulkResult): string {
  switch (outcome) {
    case 'failed':
    case 'refused':
      return `${outcome.toUpperCase()}: ${error?.reason}: ${error?.message} ${error?.nextStep}`;
    case 'unchanged':
      return 'nothing to do';
    case 'before':
      return 'done before';
    case 'notStarted':
      return 'not started';
    case 'done':
      return changes.map(({ text }) => text).join('; ');
  }
}

/** Whether it is still to be done. */
export function isLeft({ outcome }: BulkResult): boolean {
  return outcome === 'failed' || outcome === 'notStarted' || outcome === 'refused';
}

export function summary(accounts: readonly BulkResult[], end: BulkEnd = {}): BulkSummary {
  const counts = { done: 0, unchanged: 0, failed: 0, refused: 0, before: 0, notStarted: 0 };
  for (const { outcome } of accounts) counts[outcome] += 1;
  return { counts, accounts, ...end };
}

const WORDS: Readonly<Record<BulkResult['outcome'], string>> = {
  done: 'done',
  unchanged: 'with nothing to do',
  before: 'done before',
  failed: 'failed',
  refused: 'refused',
  notStarted: 'not started',
};

export function showSummary(
  { counts, accounts, resumeFile, stopped }: BulkSummary,
  output: Output,
  dryRun: boolean,
): ExitCode {
  output.list<BulkResult>(
    [
      ['ACCOUNT', ({ account }) => lastName(account)],
      ['OUTCOME', ({ outcome }) => (dryRun && outcome === 'done' ? 'planned' : outcome)],
      ['DETAIL', wordsOf],
    ],
    accounts,
  );
  const parts = Object.entries(WORDS).flatMap(([outcome, words]) => {
    const number = counts[outcome as keyof typeof counts];
    return number === 0 ? [] : [`${number} ${dryRun && outcome === 'done' ? 'to be done' : words}`];
  });
  output.text(`${count(accounts.length, 'account')}: ${parts.join(', ')}.`);
  if (stopped !== undefined) output.text(stopped);
  if (resumeFile !== undefined)
    output.text(`The same command again does the rest; what is done stands in ${resumeFile}.`);
  return accounts.some(isLeft) ? EXIT.incomplete : EXIT.ok;
}

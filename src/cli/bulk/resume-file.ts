import { createHash } from 'node:crypto';
import { accessSync, appendFileSync, constants, existsSync, readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { CmkError } from '../../errors.ts';
import { parseJson } from '../../text.ts';
import { DAY_MS } from '../../time/spans.ts';
import type { BulkRow } from './bulk-rows.ts';

/** What each line begins with. */
const START = '{"cmk":"resume"';
const LINE = z.object({ done: z.string(), account: z.string(), at: z.iso.datetime() });
/**
 * What was done so long ago does not count: a file that was left behind would have a later run, of the next month, pass over
 * what has changed since. Doing it again finds nothing to do where nothing has. Milliseconds.
 */
const COUNTS_MS = DAY_MS;

/** What a bulk command has done, so that one that was broken off goes on with the rest. */
export interface ResumeFile {
  readonly path: string;
  isThere(): boolean;
  /** Why something that is done could not be written down. */
  readonly trouble: string | undefined;
  has(row: BulkRow): boolean;
  /** Writes it down at once: the process may be killed right after it. Never throws: the account is done all the same. */
  add(row: BulkRow): void;
  /** Everything is done: nothing is to be gone on with. */
  remove(): void;
}

/**
 * Opens the file of a command, which need not be there yet.
 *
 * @param operation `account onboard`; what another command has done does not count
 * @throws {@link CmkError} `ArgumentInvalid` when the file is something else
 */
export function openResumeFile(path: string, operation: string, now: () => Date = () => new Date()): ResumeFile {
  const done = new Set(
    read(path)
      .filter(({ at }) => now().getTime() - Date.parse(at) < COUNTS_MS)
      .map(({ done }) => done),
  );
  let trouble: string | undefined;
  const idOf = (row: BulkRow): string => rowId(operation, row);
  return {
    path,
    get trouble() {
      return trouble;
    },
    isThere: () => existsSync(path),
    has: (row) => done.has(idOf(row)),
    add: (row) => {
      done.add(idOf(row));
      const line = JSON.stringify({ cmk: 'resume', done: idOf(row), account: row.account, at: now().toISOString() });
      try {
        // On a line of its own, also where a killed process left half of one.
        appendFileSync(path, `\n${line}\n`, { mode: 0o600 });
      } catch (error) {
        trouble = (error as Error).message;
      }
    },
    remove: () => rmSync(path, { force: true }),
  };
}

/**
 * Said before anything is changed.
 *
 * @throws {@link CmkError} `ArgumentInvalid`
 */
export function checkWritable(path: string): void {
  try {
    accessSync(existsSync(path) ? path : dirname(path), constants.W_OK);
  } catch (error) {
    throw new CmkError(
      'ArgumentInvalid',
      `What is done could not be written into ${path}: ${(error as Error).message}`,
      'Name another file with --resume-file; nothing was changed.',
    );
  }
}

/** The same account with other options is something else to be done. */
function rowId(operation: string, { account, options }: BulkRow): string {
  const sorted = Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify([operation, account.toLowerCase(), sorted.filter(([name]) => !PASSING.has(name))]);
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** Options that change nothing about what is done. */
const PASSING: ReadonlySet<string> = new Set([
  'from',
  'where',
  'yes',
  'concurrency',
  'maxFailures',
  'resumeFile',
  'dryRun',
  'json',
  'output',
  'query',
  'wide',
  'wait',
  'reason',
  'ticket',
]);

function read(path: string): readonly z.output<typeof LINE>[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new CmkError(
      'ArgumentInvalid',
      `${path} cannot be read: ${(error as Error).message}`,
      'Check path and rights.',
    );
  }
  if (text !== '' && !text.startsWith(START)) {
    throw new CmkError(
      'ArgumentInvalid',
      `${path} is no file of an earlier run.`,
      'Name another one with --resume-file, or remove it.',
    );
  }
  // An account whose line is half written is done once more, which finds nothing to do.
  return text.split('\n').flatMap((line) => LINE.safeParse(parseJson(line)).data ?? []);
}

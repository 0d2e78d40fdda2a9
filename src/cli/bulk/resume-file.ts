import { createHash } from 'node:crypto';
import { appendFileSync, readFileSync, rmSync } from 'node:fs';
import { z } from 'zod';
import { CmkError } from '../../errors.ts';
import type { BulkRow } from './bulk-rows.ts';

const HEAD = z.object({ cmk: z.literal('resume'), version: z.literal(1) });
const LINE = z.object({ done: z.string(), account: z.string() });

/** What a bulk command has done, so that one that was broken off goes on with the rest. */
export interface ResumeFile {
  readonly path: string;
  has(row: BulkRow): boolean;
  /** Writes it down at once: the process may be killed right after it. */
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
export function openResumeFile(path: string, operation: string): ResumeFile {
  const done = new Set(read(path));
  let isThere = done.size > 0;
  const idOf = (row: BulkRow): string => rowId(operation, row);
  return {
    path,
    has: (row) => done.has(idOf(row)),
    add: (row) => {
      if (!isThere) appendFileSync(path, `${JSON.stringify({ cmk: 'resume', version: 1 })}\n`, { mode: 0o600 });
      isThere = true;
      done.add(idOf(row));
      appendFileSync(path, `${JSON.stringify({ done: idOf(row), account: row.account })}\n`);
    },
    remove: () => {
      if (isThere) rmSync(path, { force: true });
    },
  };
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

function read(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const [head, ...lines] = text.split('\n');
  // The last line may be half written: its account is done once more, which finds nothing to do.
  const parsed = lines.flatMap((line) => LINE.safeParse(json(line)).data ?? []);
  if (HEAD.safeParse(json(head ?? '')).success) return parsed.map(({ done }) => done);
  throw new CmkError(
    'ArgumentInvalid',
    `${path} is no file of an earlier run.`,
    'Name another one with --resume-file, or remove it.',
  );
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

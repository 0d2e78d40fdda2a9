import { readFile } from 'node:fs/promises';
import { text as streamText } from 'node:stream/consumers';
import { InvalidArgumentError, Option } from 'commander';
import { CmkError, getMessage } from '../../errors/errors.ts';
import { addDuration, parseMoment } from '../../formats/duration.ts';
import { isReadable, NOT_READABLE, TEXT_LENGTHS } from '../../http/readable.ts';

/** Wrong arguments: nothing was changed. */
export class UsageError extends CmkError {
  constructor(message: string, nextStep: string, options?: ErrorOptions) {
    super('ArgumentInvalid', message, nextStep, options);
  }
}

/** Converts a parser's CmkError to commander's error, which names the option. */
export function toOptionParser<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      if (error instanceof CmkError) throw new InvalidArgumentError(`${error.message} ${error.nextStep}`);
      throw error;
    }
  };
}

export function parseNumber(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError('The value must be a whole number.');
}

export function parseUpTo(most: number): (text: string) => number {
  return (text) => {
    const value = parseNumber(text);
    if (value < 1 || value > most) throw new InvalidArgumentError(`The value must be 1 to ${most}.`);
    return value;
  };
}

/** Parses the text of an option. Accepts the lengths and characters that the audit trail accepts. */
export function parseTextOf(name: keyof typeof TEXT_LENGTHS): (given: string) => string {
  return (given) => {
    const said = given.trim();
    const problem = findTextProblem(said, TEXT_LENGTHS[name]);
    if (problem === undefined) return said;
    throw new UsageError(`--${name} ${problem}.`, 'Correct the option; nothing was changed.');
  };
}

function findTextProblem(said: string, [least, most]: readonly [least: number, most: number]): string | undefined {
  const { length } = said;
  if (/^<[^<>]*>$/.test(said)) return `still has the placeholder ${said}`;
  if (length < least || length > most) return `takes ${least} to ${most} characters, but has ${length}`;
  return isReadable(said) ? undefined : NOT_READABLE;
}

export function parseSeconds(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : addDuration(new Date(0), text).getTime() / 1000;
}

/** Parses the pause between two reads, in seconds. @throws {@link UsageError} */
export function parsePause(text: string): number {
  const every = parseSeconds(text);
  // Without a pause the reads would exhaust Azure's rate limits, which all callers share.
  if (every >= 1) return every;
  throw new UsageError('The duration must be at least one second.', 'Examples: PT15S, 60.');
}

/** Checks an ISO 8601 duration, and returns it in upper case. */
export function checkDuration(text: string): string {
  addDuration(new Date(0), text);
  return text.trim().toUpperCase();
}

export function parseExpiry(when: string): Date | 'never' {
  return when.toLowerCase() === 'never' ? 'never' : parseMoment(when, new Date());
}

/** An option with fixed values, in any case. */
export function createChoice(flags: string, description: string, values: readonly string[]): Option {
  const option = new Option(flags, description).choices(values);
  const { parseArg } = option;
  return option.argParser((given, before) => {
    const known = values.find((value) => value.toLowerCase() === given.toLowerCase());
    return parseArg?.(known ?? given, before);
  });
}

/** An option whose attribute has another name than the option. */
export function createNamedOption(flags: string, description: string, name: string): Option {
  return Object.assign(new Option(flags, description), { attributeName: () => name });
}

/** Reads a file that an option names. @throws {@link UsageError} */
export async function readGiven(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    const message = `${path} cannot be read: ${getMessage(cause)}.`;
    throw new UsageError(message, 'Check the path and its permissions.', { cause });
  }
}

/** Reads the file as text; `-`: standard input. */
export async function readGivenText(path: string): Promise<string> {
  return path === '-' ? streamText(process.stdin) : (await readGiven(path)).toString('utf8');
}

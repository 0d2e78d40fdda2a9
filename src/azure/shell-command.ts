/** Words that a POSIX shell takes as they are, and that PowerShell takes so too. */
const PLAIN = /^[\w./:=,+-]+$/;
/** What a terminal may act upon, or show nothing of, when the command is pasted. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
/** What PowerShell takes for a single quote, so that it ends a word in quotes (its CharTraits.IsSingleQuote). */
const QUOTES = /['\u2018-\u201b]/;
/** What cmd.exe acts upon, by which PowerShell runs `az.cmd` and `cmk.cmd`: it is handed the word without its quotes. */
const BATCH = /["%&|<>^!]/;

/** In place of a command with a value that no shell can be given safely. A symbol, so that no text is made of it by mistake. */
export const NO_COMMAND = Symbol('no safe command');

export type ShellCommand = string | typeof NO_COMMAND;

export const WHY_NO_COMMAND =
  'No command is given to be copied: a name in it is empty, looks like an option, or has a character that a shell could act upon.';

/** An option and its value; without a name, the value alone. */
export type ShellOption = readonly [option: string, value: string];

/**
 * A command to be copied into a POSIX shell or into PowerShell, each value as one word: other people choose names and tags.
 *
 * @param command what is fixed: `az role assignment create`
 * @param values each after its option; one with the option `''` stands by itself
 * @returns {@link NO_COMMAND} when a value cannot be given safely
 */
export function shellCommand(command: string, values: readonly ShellOption[]): ShellCommand {
  if (!values.every(([, value]) => isSafe(value))) return NO_COMMAND;
  return [command, ...values.flatMap(([option, value]) => [...(option ? [option] : []), shellWord(value)])].join(' ');
}

/** @param instead what to do, where there is no command */
export function commandOr(command: ShellCommand, instead: string): string {
  return command === NO_COMMAND ? instead : command;
}

/** Commands that run one after the other, each only if the one before succeeded. */
export function inSequence(first: ShellCommand, second: ShellCommand): ShellCommand {
  return first === NO_COMMAND || second === NO_COMMAND ? NO_COMMAND : `${first} && ${second}`;
}

function isSafe(value: string): boolean {
  return value !== '' && !/^[-@]/.test(value) && ![UNSEEN, QUOTES, BATCH].some((unsafe) => unsafe.test(value));
}

function shellWord(value: string): string {
  return PLAIN.test(value) ? value : `'${value}'`;
}

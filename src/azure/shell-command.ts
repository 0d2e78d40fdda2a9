/** Words that need no quotes in a POSIX shell and in PowerShell. */
const PLAIN = /^[\w./:=,+-]+$/;
/** Characters that a terminal may execute or hide when a user pastes the command. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
/** Characters that PowerShell reads as a closing single quote (its CharTraits.IsSingleQuote). */
const QUOTES = /['\u2018-\u201b]/;
/** Characters that cmd.exe interprets: PowerShell runs `az.cmd` and `cmk.cmd` by it and drops the quotes. */
const BATCH = /["%&|<>^!]/;

/** Replaces a command with a value that no shell accepts safely. A symbol, so no code concatenates it by mistake. */
export const NO_COMMAND = Symbol('no safe command');

export type ShellCommand = string | typeof NO_COMMAND;

export const WHY_NO_COMMAND =
  'The app shows no command to copy: a name in it is empty, looks like an option, or has a character that a shell could interpret.';

/** An option and its value; an empty option gives the value alone. */
export type ShellOption = readonly [option: string, value: string];

/**
 * Builds a command to copy into a POSIX shell or PowerShell. Quotes each value, because other people choose names and
 * tags.
 *
 * @param command fixed start of the command: `az role assignment create`
 * @param values options and their values; a value with the option `''` stands alone
 * @returns {@link NO_COMMAND} if a value cannot be quoted safely
 */
export function createShellCommand(command: string, values: readonly ShellOption[]): ShellCommand {
  if (!values.every(([, value]) => isSafe(value))) return NO_COMMAND;
  return [command, ...values.flatMap(([option, value]) => [...(option ? [option] : []), shellWord(value)])].join(' ');
}

/** @param instead text to return if there is no safe command */
export function renderCommandOr(command: ShellCommand, instead: string): string {
  return command === NO_COMMAND ? instead : command;
}

/** Joins commands so that each runs only if the previous command succeeded. */
export function joinCommands(first: ShellCommand, second: ShellCommand): ShellCommand {
  return first === NO_COMMAND || second === NO_COMMAND ? NO_COMMAND : `${first} && ${second}`;
}

function isSafe(value: string): boolean {
  return value !== '' && !/^[-@]/.test(value) && ![UNSEEN, QUOTES, BATCH].some((unsafe) => unsafe.test(value));
}

function shellWord(value: string): string {
  return PLAIN.test(value) ? value : `'${value}'`;
}

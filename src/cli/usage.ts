import type { Command, CommanderError } from 'commander';
import { follow } from './completion.ts';
import type { Explanation } from './explain.ts';

/** Explains commander's error like every other error. */
export function explainUsage(
  { code, message }: CommanderError,
  program: Command,
  args: readonly string[],
): Explanation {
  const { command } = follow(program, args);
  const isRevocationMissing = code === 'commander.missingMandatoryOptionValue' && message.includes('--revocation');
  const nextStep = isRevocationMissing
    ? 'List the open revocations: cmk revocation list'
    : `${pathOf(command)} --help lists the arguments and options.`;
  if (code === 'commander.help')
    return { reason: 'ArgumentInvalid', message: 'The command line names no command.', nextStep };
  return { reason: 'ArgumentInvalid', message: sentence(message), nextStep };
}

/** Converts `error: unknown command 'rotat'\n(Did you mean rotate?)` to sentences. */
function sentence(message: string): string {
  const [what = '', hint] = message.replace(/^error: /, '').split('\n');
  const ended = /[.?]$/.test(what) ? what : `${what}.`;
  const asked = hint === undefined ? '' : ` ${hint.replace(/^\((.*)\)$/, '$1')}`;
  return `${ended.charAt(0).toUpperCase()}${ended.slice(1)}${asked}`;
}

/** `cmk key rotate`. */
function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
}

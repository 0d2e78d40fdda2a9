import type { Command, CommanderError } from 'commander';
import { follow } from './completion.ts';
import type { Explanation } from './explain.ts';

/** Commander's refusal of a command line, reported as every other refusal. */
export function explainUsage(
  { code, message }: CommanderError,
  program: Command,
  args: readonly string[],
): Explanation {
  const { command } = follow(program, args);
  const nextStep = `${pathOf(command)} --help shows what there is.`;
  if (code === 'commander.help') return { reason: 'ArgumentInvalid', message: 'No command was given.', nextStep };
  return { reason: 'ArgumentInvalid', message: sentence(message), nextStep };
}

/** `error: unknown command 'rotat'\n(Did you mean rotate?)` as sentences. */
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

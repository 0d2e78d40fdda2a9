import { type Command, CommanderError } from 'commander';
import { findCommandAndOption } from './completion.ts';
import { replaceOtherNames } from './other-names.ts';
import { createProgram } from './program.ts';
import { Cli, type CliContext, type GlobalOptions } from './terminal/cli.ts';
import { EXIT, getExitCode } from './terminal/exit-codes.ts';
import { type Explanation, explain } from './terminal/explain.ts';
import { Interruption, waitUnlessInterrupted } from './terminal/interruption.ts';

/** Runs a command line, given without the program's name. Returns the exit code. */
export async function run(given: readonly string[], context: CliContext): Promise<number> {
  const cli = new Cli(context);
  const program = createProgram(cli);
  const args = replaceOtherNames(given, program);
  try {
    // Some commands have a --version option for a key version, so it is no option of all commands.
    const words = args[0] === '--version' || args[0] === 'version' ? ['-V', ...args.slice(1)] : args;
    await waitUnlessInterrupted(program.parseAsync(words, { from: 'user' }), context.interrupted);
    return cli.exitCode;
  } catch (error) {
    // Commander parses the common options first, so they are available after an error in later arguments.
    const asked = program.opts<GlobalOptions>();

    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.ok; // the command line requested help

      // Without a command commander has already shown the help, which is more useful.
      if (asked.json || asked.output || asked.query !== undefined || error.code !== 'commander.help') {
        cli.fail(explainUsage(error, program, args), asked);
      }
      return EXIT.usage;
    }

    await cli.recorded();

    if (error instanceof Interruption) {
      if (!cli.isEndless) cli.fail(cli.explainInterruption(error), asked);
      return error.exitCode;
    }

    const explanation = explain(error);

    cli.fail(explanation, asked);

    if (context.environment.CMK_DEBUG && error instanceof Error) context.err.write(`${error.stack}\n`);

    return getExitCode(explanation.reason);
  }
}

function explainUsage({ code, message }: CommanderError, program: Command, args: readonly string[]): Explanation {
  const path = (command: Command): string =>
    command.parent ? `${path(command.parent)} ${command.name()}` : command.name();
  const isRevocationMissing = code === 'commander.missingMandatoryOptionValue' && message.includes('--revocation');

  return {
    reason: 'ArgumentInvalid',
    message: code === 'commander.help' ? 'The command line names no command.' : sentence(message),
    nextStep: isRevocationMissing
      ? 'List the open revocations: cmk revocation list'
      : `${path(findCommandAndOption(program, args).command)} --help lists the arguments and options.`,
  };
}

/** Converts `error: unknown command 'rotat'\n(Did you mean rotate?)` to sentences. */
function sentence(message: string): string {
  const [what = '', hint = ''] = message.replace(/^error: /, '').split('\n');
  const ended = /[.?]$/.test(what) ? what : `${what}.`;
  return `${ended.charAt(0).toUpperCase()}${ended.slice(1)} ${hint.replace(/^\((.*)\)$/, '$1')}`.trimEnd();
}

import { CommanderError } from 'commander';
import { Cli, type CliContext } from './cli.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { explain } from './explain.ts';
import { Interruption, unlessInterrupted } from './interruption.ts';
import { createProgram } from './program.ts';
import { explainUsage } from './usage.ts';

/**
 * Runs one command line.
 *
 * @param args without the program's name
 * @returns the exit code
 */
export async function run(args: readonly string[], context: CliContext): Promise<number> {
  const cli = new Cli(context);
  const program = createProgram(cli);
  const json = args.includes('--json');
  try {
    await unlessInterrupted(program.parseAsync(args, { from: 'user' }), context.interrupted);
    return cli.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.ok; // help was asked for
      // Without a command the help has been shown, which says more.
      if (json || error.code !== 'commander.help') cli.fail(explainUsage(error, program, args), json);
      return EXIT.usage;
    }
    if (error instanceof Interruption) {
      cli.fail(cli.explainInterruption(), json);
      return error.exitCode;
    }
    const explanation = explain(error);
    cli.fail(explanation, json);
    if (context.environment.CMK_DEBUG && error instanceof Error) context.err.write(`${error.stack}\n`);
    return exitCodeOf(explanation.reason);
  }
}

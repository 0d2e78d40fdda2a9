import { CommanderError } from 'commander';
import { Cli, type CliContext, type GlobalOptions } from './cli.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { Interruption, unlessInterrupted } from './interruption.ts';
import { renamed } from './other-names.ts';
import { createProgram } from './program.ts';
import { explainUsage } from './usage.ts';

/**
 * Runs one command line.
 *
 * @param args without the program's name
 * @returns the exit code
 */
export async function run(given: readonly string[], context: CliContext): Promise<number> {
  const cli = new Cli(context);
  const program = createProgram(cli);
  const { args, hint } = renamed(given, program);
  if (hint !== undefined) context.err.write(`${hint}\n`);
  try {
    // Some commands have a --version of their own, of a key: it is no option of them all.
    const words = args[0] === '--version' || args[0] === 'version' ? ['-V', ...args.slice(1)] : args;
    await unlessInterrupted(program.parseAsync(words, { from: 'user' }), context.interrupted);
    return cli.exitCode;
  } catch (error) {
    // Those of every command are read first, before what is wrong behind them.
    const asked = program.opts<GlobalOptions>();
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.ok; // help was asked for
      // Without a command the help has been shown, which says more.
      if (asked.json || asked.output || asked.query !== undefined || error.code !== 'commander.help')
        cli.fail(explainUsage(error, program, args), asked);
      return EXIT.usage;
    }
    await cli.recorded();
    if (error instanceof Interruption) {
      if (!cli.isEndless) cli.fail(cli.explainInterruption(), asked);
      return error.exitCode;
    }
    const { explain } = await import('./explain.ts');
    const explanation = explain(error);
    cli.fail(explanation, asked);
    if (context.environment.CMK_DEBUG && error instanceof Error) context.err.write(`${error.stack}\n`);
    return exitCodeOf(explanation.reason);
  }
}

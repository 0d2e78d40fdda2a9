import { CommanderError } from 'commander';
import { Cli, type Surroundings } from './cli.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { explain } from './explain.ts';
import { createProgram } from './program.ts';

/**
 * Runs one command line.
 *
 * @param args without the program's name
 * @returns the exit code
 */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const cli = new Cli(surroundings);
  const program = createProgram(cli);
  try {
    await program.parseAsync(args, { from: 'user' });
    return cli.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version were asked for; everything else has been said by commander.
      return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    }
    const explanation = explain(error);
    cli.output({ json: args.includes('--json') }).error(explanation);
    if (surroundings.environment.CMK_DEBUG && error instanceof Error) surroundings.err.write(`${error.stack}\n`);
    return exitCodeOf(explanation.reason);
  }
}

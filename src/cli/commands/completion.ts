import { Argument, type Command } from 'commander';
import type { Cli } from '../cli.ts';
import { complete, completionScript, SHELLS, type Shell } from '../completion.ts';

export function addCompletionCommands(program: Command, cli: Cli): void {
  const { out } = cli.surroundings;
  program
    .command('completion')
    .description('print a script that completes commands and options: eval "$(cmk completion bash)"')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .action((shell: Shell) => {
      out.write(`${completionScript(shell)}\n`);
    });
  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .allowUnknownOption()
    .action((words: string[]) => {
      for (const choice of complete(program, words)) out.write(`${choice}\n`);
    });
}

import { Argument, type Command } from 'commander';
import type { Cli } from '../cli.ts';
import { complete, completionScript, SHELLS, type Shell } from '../completion.ts';

const AFTER = `
It completes \`cmk\`, which has to be on the PATH (npm link). Where a shell
reads it when it starts:
  bash  eval "$(cmk completion bash)"       in ~/.bashrc
  zsh   eval "$(cmk completion zsh)"        in ~/.zshrc
  fish  cmk completion fish | source        in ~/.config/fish/config.fish`;

export function addCompletionCommands(program: Command, cli: Cli): void {
  const { out } = cli.context;
  program
    .command('completion')
    .description('print a script that completes commands and options')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText('after', AFTER)
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

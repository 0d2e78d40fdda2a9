import { Argument, type Command } from 'commander';
import type { Cli } from '../cli.ts';
import { complete, completionScript, SHELLS, type Shell } from '../completion.ts';
import { knownNames } from '../name-cache.ts';
import { profileNames } from '../profile.ts';

const AFTER = `
It completes commands, options and their values, and the names that the last
\`cmk account list\` has seen. Where a shell reads it when it starts:
  bash  eval "$(cmk completion bash)"       in ~/.bashrc
  zsh   eval "$(cmk completion zsh)"        in ~/.zshrc
  fish  cmk completion fish | source        in ~/.config/fish/config.fish`;

export function addCompletionCommands(program: Command, cli: Cli): void {
  const { out } = cli.context;
  program
    .command('completion')
    .description('print a script that completes commands and options')
    .summary('print a script that completes commands: bash, zsh, fish')
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
      const { accounts, keys, vaults } = knownNames(cli.environment);
      const names: Readonly<Record<string, readonly string[]>> = {
        account: accounts,
        key: keys,
        vault: vaults,
        profile: profileNames(cli.environment),
      };
      for (const choice of complete(program, words, (what) => names[what] ?? [])) out.write(`${choice}\n`);
    });
}

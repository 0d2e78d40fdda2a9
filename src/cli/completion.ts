import { Argument, type Command, type Option } from 'commander';
import type { CmkCommand } from './terminal/command.ts';

/**
 * Returns completions of the last word: subcommands, options after a dash, or values of the previous option. Returns
 * none for unknown values, such as file names.
 */
function complete(program: Command, words: readonly string[]): string[] {
  const { command, option } = findCommandAndOption(program, words.slice(0, -1));
  const last = words.at(-1) ?? '';
  const choices = (): readonly string[] => {
    if (option) return option.argChoices ?? [];
    if (last.startsWith('-')) return optionsOf(command).flatMap(({ long }) => long ?? []);
    const names = command.commands.map((one) => one.name()).filter((name) => !name.startsWith('__'));
    return [...names, ...command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? [])];
  };
  return choices().filter((choice) => choice.startsWith(last));
}

/** Finds the command that these words name, and the option that expects the next word as its value. */
export function findCommandAndOption(
  program: Command,
  words: readonly string[],
): { command: Command; option: Option | undefined } {
  let command = program;
  let option: Option | undefined;

  for (const word of words) {
    const isValue = option !== undefined;
    option = isValue
      ? undefined
      : optionsOf(command).find((one) => one.required && [one.short, one.long].includes(word));
    if (!isValue) command = command.commands.find((candidate) => candidate.name() === word) ?? command;
  }

  return { command, option };
}

/** Returns the options of a command, and those of every command. */
function optionsOf(command: Command): readonly Option[] {
  return command.parent ? [...command.options, ...optionsOf(command.parent)] : command.options;
}

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** Scripts that let a shell query `cmk` for completions. */
const SCRIPTS: Record<Shell, string> = {
  bash: `# eval "$(cmk completion bash)"
_cmk() {
  mapfile -t COMPREPLY < <(cmk __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _cmk cmk`,
  // The first and last lines let zsh load this file as a completion function on first use.
  zsh: `#compdef cmk
# eval "$(cmk completion zsh)"
_cmk() {
  local -a choices
  choices=("\${(@f)$(cmk __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  choices=("\${(@)choices:#}")
  if (( $#choices )); then
    compadd -a choices
  else
    _files
  fi
}
if [[ "$funcstack[1]" == "_cmk" ]]; then
  _cmk
else
  whence compdef >/dev/null || { autoload -Uz compinit && compinit }
  compdef _cmk cmk
fi`,
  fish: `# cmk completion fish | source
function __cmk_complete
  set -l choices (cmk __complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)
  if test (count $choices) -gt 0
    printf '%s\\n' $choices
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c cmk -f -a '(__cmk_complete)'`,
};

const AFTER = `
It completes commands, options and their values. A shell loads it at startup
from:
  bash  eval "$(cmk completion bash)"       in ~/.bashrc
  zsh   eval "$(cmk completion zsh)"        in ~/.zshrc
  fish  cmk completion fish | source        in ~/.config/fish/config.fish`;

export function addCompletionCommands(program: CmkCommand): void {
  const { out } = program.cli.context;
  program
    .command('completion')
    .description('print a script that completes commands and options')
    .summary('print a script that completes commands: bash, zsh, fish')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText('after', AFTER)
    .action((shell: Shell) => {
      out.write(`${SCRIPTS[shell]}\n`);
    });

  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .allowUnknownOption()
    .action((words: string[]) => {
      for (const choice of complete(program, words)) out.write(`${choice}\n`);
    });
}

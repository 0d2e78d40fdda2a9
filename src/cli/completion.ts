import type { Command } from 'commander';

/** What may stand at the last of these words: subcommands, or options when it starts with a dash. */
export function complete(program: Command, words: readonly string[]): string[] {
  let command = program;
  for (const word of words.slice(0, -1)) {
    command = command.commands.find((candidate) => candidate.name() === word) ?? command;
  }
  const last = words.at(-1) ?? '';
  const globals = command === program ? [] : program.options;
  const choices = last.startsWith('-')
    ? [...command.options, ...globals].flatMap(({ long }) => long ?? [])
    : [
        ...command.commands.filter((candidate) => !hidden(candidate)).map((candidate) => candidate.name()),
        ...command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
      ];
  return choices.filter((choice) => choice.startsWith(last));
}

function hidden(command: Command): boolean {
  return command.name().startsWith('__');
}

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** The script that makes a shell ask `cmk` itself what may come next. */
export function completionScript(shell: Shell): string {
  return SCRIPTS[shell];
}

const SCRIPTS: Record<Shell, string> = {
  bash: `# eval "$(cmk completion bash)"
_cmk() {
  mapfile -t COMPREPLY < <(cmk __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _cmk cmk`,
  zsh: `# eval "$(cmk completion zsh)"
_cmk() {
  local -a choices
  choices=("\${(@f)$(cmk __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -a choices
}
compdef _cmk cmk`,
  fish: `# cmk completion fish | source
complete -c cmk -f -a '(cmk __complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'`,
};

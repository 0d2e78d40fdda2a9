import type { Command } from 'commander';
import { Cli } from '../../src/cli/cli.ts';
import { createProgram } from '../../src/cli/program.ts';

/** The help of every command. */
export function commandLineReference(): string {
  const silent = { write: () => true, columns: 80 };
  const program = createProgram(new Cli({ environment: {}, out: silent, err: silent, ask: undefined }));
  const sections = commandsOf(program).map(({ path, command }) => {
    // Options of every command stand once, with the root command.
    if (command !== program) command.configureHelp({ showGlobalOptions: false });
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => 80 });
    command.outputHelp();
    return `### ${path}\n\n\`\`\`text\n${help.trimEnd()}\n\`\`\`\n`;
  });
  return `## Every command\n\n${sections.join('\n')}`;
}

function commandsOf(command: Command, above = ''): { path: string; command: Command }[] {
  const path = `${above}${command.name()}`;
  const below = command.commands
    .filter((one) => !one.name().startsWith('__'))
    .flatMap((one) => commandsOf(one, `${path} `));
  return [{ path, command }, ...below];
}

import type { Command } from 'commander';
import { createTopics } from '../../src/cli/help.ts';
import { createProgram } from '../../src/cli/program.ts';
import { Cli } from '../../src/cli/terminal/cli.ts';

/** The help of every command. */
export function commandLineReference(): string {
  const sections = helpPages().map(({ path, help }) => `### ${path}\n\n\`\`\`text\n${help.trimEnd()}\n\`\`\`\n`);
  return `## Every command\n\n${sections.join('\n')}`;
}

export interface HelpPage {
  /** `cmk key rotate`. */
  readonly path: string;
  readonly description: string;
  readonly help: string;
}

/** The help of each command as a terminal of 80 columns shows it, and what `cmk help` has beside it. */
export function helpPages(): HelpPage[] {
  const silent = { write: () => true, columns: 80 };
  const program = createProgram(new Cli({ environment: {}, out: silent, err: silent, ask: undefined }));
  const [root, ...rest] = commandsOf(program).map(({ path, command }) => {
    // Options of every command stand once, in \`cmk help options\`.
    command.configureHelp({ showGlobalOptions: false });
    let help = '';
    command.configureOutput({
      writeOut: (text) => {
        help += text;
      },
      getOutHelpWidth: () => 80,
    });
    command.outputHelp();
    return { path, description: command.description(), help };
  });

  const more = Object.entries(createTopics(program)).map(([topic, help]) => ({
    path: `cmk help ${topic}`,
    description: `${topic} of every command`,
    help,
  }));

  return [...(root ? [root] : []), ...more, ...rest];
}

function commandsOf(command: Command, above = ''): { path: string; command: Command }[] {
  const path = `${above}${command.name()}`;
  const below = command.commands
    .filter((one) => !one.name().startsWith('__') && one.name() !== 'help')
    .flatMap((one) => commandsOf(one, `${path} `));
  return [{ path, command }, ...below];
}

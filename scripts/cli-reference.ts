import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { Cli } from '../src/cli/cli.ts';
import { createProgram } from '../src/cli/program.ts';

const PAGE = join(dirname(dirname(fileURLToPath(import.meta.url))), 'docs/cli.md');
/** What stands below it is written by {@link cliPage}; what stands above it, by people. */
const MARK = '<!-- Everything below is written by `npm run reference`, from the help of the commands. -->';

/** The page with its reference as the commands' own help has it. */
export async function cliPage(): Promise<string> {
  const text = await readFile(PAGE, 'utf8');
  const at = text.indexOf(MARK);
  if (at < 0) throw new Error(`docs/cli.md lacks the line ${MARK}`);
  return `${text.slice(0, at)}${MARK}\n\n${reference()}`;
}

function reference(): string {
  const silent = { write: () => true, columns: 80 };
  const program = createProgram(new Cli({ environment: {}, out: silent, err: silent, ask: undefined }));
  const sections = commandsOf(program).map(({ path, command }) => {
    // Options of every command stand once, with the command that is the whole.
    if (command !== program) command.configureHelp({ showGlobalOptions: false });
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => 80 });
    command.outputHelp();
    return `### ${path}\n\n\`\`\`text\n${help.trimEnd()}\n\`\`\`\n`;
  });
  return `## Reference\n\n${sections.join('\n')}`;
}

function commandsOf(command: Command, above = ''): { path: string; command: Command }[] {
  const path = `${above}${command.name()}`;
  const below = command.commands
    .filter((one) => !one.name().startsWith('__'))
    .flatMap((one) => commandsOf(one, `${path} `));
  return [{ path, command }, ...below];
}

if (import.meta.main) await writeFile(PAGE, await cliPage());

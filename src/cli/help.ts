import { Command } from 'commander';
import { replaceOtherNames } from './other-names.ts';
import { isDocumentFormat } from './terminal/cli.ts';
import type { CmkCommand } from './terminal/command.ts';
import { createChoice } from './terminal/options.ts';
import { OUTPUTS } from './terminal/output.ts';

const AFTER = `
  -o table|json|jsonl|csv    --query <jmespath>    --wide    --quiet    --watch
  --subscription <id>    --cloud <name>    --dry-run

Start: az login; cmk doctor; cmk account onboard --help
More: cmk <command> --help, cmk help options, environment, exit-codes
`;

const EXIT_CODES = `Exit codes:
  0    done, or nothing to do
  1    a check found something, or only a part was done
  2    wrong arguments; nothing was changed
  3    refused: something has to be changed first
  4    not signed in, or a right is missing
  5    Azure could not be reached, is throttling, or a role has not taken effect:
       run it again
  70   unexpected error: run it again with CMK_DEBUG=1, and report it
  130  interrupted (129 and 143 likewise): run it again to continue
`;

const ENVIRONMENT = `Environment:
  AZURE_SUBSCRIPTION_ID      as --subscription, for new resources
  AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET
                             a sign-in that takes precedence over \`az login\`
  AZURE_CLOUD                as --cloud
  CMK_DEBUG                  1: print the stack of an unexpected error
  CMK_KEY_PASSWORD           password of a file for key import
  NO_COLOR, COLUMNS          no colours; width of the terminal

Settings of the app:
  CMK_API, CMK_API_AUDIENCE  address of its API: list, show and now call it first
  AzureWebJobsStorage__accountName, or AzureWebJobsStorage (a connection string)
                             its storage: audit trail, queues, drift reports, and
                             what list, show and now read if it does not answer
  CMK_VAULTS                 its vaults: the same, drift, doctor, vault list
  CMK_SUBSCRIPTIONS          its subscriptions: key show, key revoke, rekey,
                             rotation list
  CMK_USAGE_WORKSPACE        log of who used a key: key show, key retire
  CMK_DUAL_CONTROL           off: the revoker of a key may restore it
  CMK_FUNCTION_APP_ID, CMK_STORAGE_ACCOUNT_ID
                             destination of events: admin ensure-events
  CMK_NOTIFY                 its targets, for admin test-notification
  CMK_API_CLIENT_ID          app registration whose owners doctor reports
`;

/** Topics of `cmk help` beside the commands. */
export function createTopics(program: Command): Readonly<Record<string, string>> {
  const [, options = ''] = /^(Options:\n(?: .*\n)+)/m.exec(Command.prototype.helpInformation.call(program)) ?? [];
  return { options, environment: ENVIRONMENT, 'exit-codes': EXIT_CODES };
}

export function renderRootHelp(program: Command): string {
  const shown = program.createHelp().visibleCommands(program);
  const lines = shown.map((command) => `  ${command.name().padEnd(12)}${command.summary() || command.description()}\n`);
  return `Usage: cmk <command> [options]\n\n${lines.join('')}${AFTER}`;
}

export function addGlobalOptions(program: CmkCommand): CmkCommand {
  const output = createChoice('-o, --output <format>', 'a table, one document, or a row for each item', OUTPUTS);
  const { parseArg } = output;

  // `wide`, as in `kubectl`: a table with every column. The help of a command names its formats of documents.
  output.argParser((given, before) =>
    given === 'wide' || isDocumentFormat(given) ? given : parseArg?.(given, before),
  );

  return program
    .addOption(output)
    .option('--json', 'short for -o json')
    .option('--query <jmespath>', 'print only this part of the document (https://jmespath.org)')
    .option('--wide', 'tables with every column, in full')
    .option('-q, --quiet', 'no progress')
    .option('--subscription <id>', 'search and create only in this subscription')
    .option('--cloud <name>', 'AzureCloud, AzureUSGovernment or AzureChinaCloud');
}

/** `cmk help`, `cmk help key rotate`, `cmk help environment`. */
export function addHelpCommand(program: CmkCommand): void {
  program
    .helpCommand(false)
    .command('help', { hidden: true })
    .argument('[words...]', 'a command; options, environment or exit-codes')
    .description('help for a command, the common options, the environment or the exit codes')
    .action((words: string[]) => {
      const topic = words.length === 1 ? createTopics(program)[words[0] ?? ''] : undefined;
      if (topic !== undefined) {
        program.cli.context.out.write(topic);
        return;
      }

      let command: Command = program;

      for (const word of replaceOtherNames(words, program)) {
        const next = command.commands.find((one) => one.name() === word);
        if (!next) command.error(`error: unknown command '${word}'`, { code: 'commander.unknownCommand' });
        else command = next;
      }

      command.outputHelp();
    });
}

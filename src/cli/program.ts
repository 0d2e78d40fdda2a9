import { Command, Option } from 'commander';
import type { Cli, GlobalOptions } from './cli.ts';
import { addAccountCommands } from './commands/account.ts';
import { addAppCommands } from './commands/app.ts';
import { addAuditCommands } from './commands/audit.ts';
import { addBreakGlassCommands } from './commands/break-glass.ts';
import { addCompletionCommands } from './commands/completion.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addDriftCommands } from './commands/drift.ts';
import { addExplainCommand } from './commands/explain-reason.ts';
import { addFleetCommands } from './commands/fleet.ts';
import { addIdentityCommands } from './commands/identity.ts';
import { addKeyCommands } from './commands/key.ts';
import { addNotifyCommands } from './commands/notify.ts';
import { addNowCommand } from './commands/now.ts';
import { addRekeyCommands } from './commands/rekey.ts';
import { addRotationCommands } from './commands/rotation.ts';
import { addScopeCommands } from './commands/scope.ts';
import { addVaultCommands } from './commands/vault.ts';
import { addWatchCommand } from './commands/watch.ts';
import { columnsOf, OUTPUTS } from './output.ts';
import { cliVersion } from './version.ts';

const AFTER = `
To encrypt an account with a key of your own, see what would happen, then do it:

  az login
  cmk doctor
  cmk account onboard <account> --vault <vault> --key <key> --identity <identity> --dry-run
  cmk account onboard <account> --vault <vault> --key <key> --identity <identity>

Names are enough; what is not there is created, what is there is kept, and
running it again goes on where it ended. Each command has its own help:
cmk account onboard --help

Exit codes:
  0    done, or nothing to do
  1    a check found something, or only a part was done
  2    the command line is not right; nothing was changed
  3    refused: something has to be different first
  4    not signed in, or a right is missing
  5    Azure could not be reached, is throttling, or a role does not count yet:
       run it again
  70   unforeseen: run it again with CMK_DEBUG=1, and report it
  130  interrupted (129 and 143 likewise): run it again, and it goes on

Environment:
  AZURE_SUBSCRIPTION_ID      where things are created
  AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET
                             a sign-in that goes before that of \`az login\`
  AZURE_CLOUD                as --cloud
  CMK_PROFILE                as --profile
  XDG_CONFIG_HOME            where cmk/profiles.json is (default: ~/.config)
  CMK_KEY_PASSWORD           password of a file for key import
  NO_COLOR, COLUMNS          no colours; how wide the terminal is
  of the app, where a command concerns it:
  AzureWebJobsStorage__accountName, or AzureWebJobsStorage (a connection string)
                             its storage: audit trail, queues, drift reports
  CMK_VAULTS                 its vaults: drift check, doctor; and, where the app
                             is not asked, fleet list, rotation and key status
  CMK_SUBSCRIPTIONS          where it looks for accounts: key status, revoke,
                             rekey, rotation status
  CMK_USAGE_WORKSPACE        log of who used a key: key status, retire
  CMK_DUAL_CONTROL           off: whoever revoked a key may restore it
  CMK_FUNCTION_APP_ID, CMK_STORAGE_ACCOUNT_ID
                             where events ensure has events delivered
  CMK_AUTOFIX                what drift check --as-app fixes
  CMK_NOTIFY                 its targets, for notify test
  CMK_API, CMK_API_AUDIENCE  whom now and watch ask, and, before that storage,
                             fleet list, rotation status and key status
  CMK_API_CLIENT_ID          app registration whose owners doctor reports`;

/** Every command. Nothing runs before it is parsed. */
export function createProgram(cli: Cli): Command {
  const { out, err } = cli.context;
  const program = new Command('cmk')
    .description('Customer-managed keys of Azure storage accounts, on your own sign-in: set up, rotate, revoke, check.')
    .version(cliVersion(), '-V', 'print the version, as --version alone does')
    .addOption(
      new Option('-o, --output <format>', 'table, one document, or a row for each thing (pipe: lines)').choices(
        OUTPUTS,
      ),
    )
    .option('--json', 'short for -o json')
    .option('--query <jmespath>', 'print this of the document alone (https://jmespath.org)')
    .option('--wide', 'tables with whole versions and more columns')
    .option('--profile <name>', 'settings by a name, of ~/.config/cmk/profiles.json')
    .option('--subscription <id>', 'look for and create things in this subscription')
    .option('--cloud <name>', 'AzureCloud, AzureUSGovernment or AzureChinaCloud')
    .addHelpText('after', AFTER)
    .configureHelp({ showGlobalOptions: true })
    .exitOverride();
  program.configureOutput({
    writeOut: (text) => out.write(text),
    writeErr: (text) => err.write(text),
    outputError: () => {}, // `run` tells it as every other error
    getOutHelpWidth: () => columnsOf(out, cli.environment),
    getErrHelpWidth: () => columnsOf(err, cli.environment),
  });
  program.hook('preAction', async (_, command) => {
    const { query } = command.optsWithGlobals<GlobalOptions>();
    if (query !== undefined) (await import('./query.ts')).checkQuery(query);
  });
  addAccountCommands(program, cli);
  addScopeCommands(program, cli);
  addVaultCommands(program, cli);
  const key = addKeyCommands(program, cli);
  addBreakGlassCommands(key, cli);
  addIdentityCommands(program, cli);
  addFleetCommands(program, cli);
  addRekeyCommands(program, cli);
  addRotationCommands(program, cli);
  addDriftCommands(program, cli);
  addNowCommand(program, cli);
  addWatchCommand(program, cli);
  addAppCommands(program, cli);
  addNotifyCommands(program, cli);
  addAuditCommands(program, cli);
  addExplainCommand(program, cli);
  addDoctorCommand(program, cli);
  addCompletionCommands(program, cli);
  for (const group of program.commands.filter(({ commands }) => commands.length > 0)) {
    const names = group.commands.map((command) => command.name());
    group.summary(`${group.description()}: ${names.join(', ')}`);
  }
  return program;
}

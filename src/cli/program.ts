import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { addAccountCommands } from './commands/account.ts';
import { addAdminCommands } from './commands/admin.ts';
import { addAuditCommands } from './commands/audit.ts';
import { addScopeCommands } from './commands/break-glass.ts';
import { addDiagnosis } from './commands/diagnose.ts';
import { addDriftCommand } from './commands/drift.ts';
import { addDrillCommands } from './commands/drill.ts';
import { addKeyCommands } from './commands/key.ts';
import { addRevocationCommands } from './commands/key-lists.ts';
import { addNowCommand } from './commands/now.ts';
import { addRekeyCommands } from './commands/rekey.ts';
import { addRotationCommands } from './commands/rotation.ts';
import { addUserCommands } from './commands/user.ts';
import { addVaultCommands } from './commands/vault.ts';
import { addCompletionCommands } from './completion.ts';
import { addGlobalOptions, addHelpCommand, renderRootHelp } from './help.ts';
import type { Cli, GlobalOptions } from './terminal/cli.ts';
import { CmkCommand } from './terminal/command.ts';
import { getColumns } from './terminal/output.ts';
import { checkQuery } from './terminal/query.ts';

/** Set by `scripts/bundle-cli.ts`, because a single file has no package.json beside it. */
declare const BUNDLED_VERSION: string | undefined;

/** Creates the program with every command. Runs nothing before the command line is parsed. */
export function createProgram(cli: Cli): CmkCommand {
  const { out, err } = cli.context;
  const program = addGlobalOptions(new CmkCommand(cli, 'cmk'));

  program
    .description('Customer-managed keys of Azure storage accounts, on your own sign-in: set up, rotate, revoke, check.')
    .version(cliVersion(), '-V', 'print the version, as --version alone does')
    // Omits `[options]`, because every command has options.
    .configureHelp({ subcommandTerm: (command) => [command.name(), ...argumentsOf(command)].join(' ') })
    .exitOverride();

  program.helpInformation = () => renderRootHelp(program);
  program.addHelpText('afterAll', ({ command }) =>
    command === program ? '' : '\nOptions of every command: cmk help options',
  );

  program.configureOutput({
    writeOut: (text) => out.write(text),
    writeErr: (text) => err.write(text),
    outputError: () => {}, // `run` prints it like every other error
    getOutHelpWidth: () => getColumns(out, cli.environment),
    getErrHelpWidth: () => getColumns(err, cli.environment),
  });

  program.hook('preAction', (_, command) => {
    const { query } = command.optsWithGlobals<GlobalOptions>();
    if (query !== undefined) checkQuery(query);
    if (command instanceof CmkCommand) command.checkFormat();
  });
  addNowCommand(program);
  addAccountCommands(program);
  addKeyCommands(program);
  addVaultCommands(program);
  addUserCommands(program);
  addRevocationCommands(program);
  addRotationCommands(program);
  addRekeyCommands(program);
  addScopeCommands(program);
  addDriftCommand(program);
  addDrillCommands(program);
  addAuditCommands(program);
  addDiagnosis(program);
  addAdminCommands(program);
  addCompletionCommands(program);
  addHelpCommand(program);

  return program;
}

function argumentsOf({ registeredArguments }: Command): string[] {
  return registeredArguments.map((one) => (one.required ? `<${one.name()}>` : `[${one.name()}]`));
}

function cliVersion(): string {
  if (typeof BUNDLED_VERSION === 'string') return BUNDLED_VERSION;
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return String(version);
}

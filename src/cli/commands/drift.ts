import type { Command } from 'commander';
import type { DriftReport } from '../../drift/report.ts';
import { createEventGrid } from '../../events/event-grid-client.ts';
import { checkDrift } from '../../procedures/drift-check.ts';
import { ensureEvents } from '../../procedures/events-ensure.ts';
import type { Cli, GlobalOptions } from '../cli.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { changing } from '../options.ts';
import type { Output } from '../output.ts';

export function addDriftCommands(program: Command, cli: Cli): void {
  const { environment } = cli;
  program
    .command('drift')
    .description('what is, compared with what should be')
    .command('check')
    .description('check accounts, keys, vaults and the app; changes nothing, and needs no app')
    .option('--vault <vault...>', 'vaults to look at (default: those of CMK_VAULTS)', [])
    .option(
      '--as-app',
      "as the app does: mend what CMK_AUTOFIX names, and publish the report in the app's storage",
      false,
    )
    .action(async (options: { vault: string[]; asApp: boolean }, command: Command) => {
      const credential = cli.credential(command.optsWithGlobals<GlobalOptions>());
      await cli.look(
        command,
        (procedure) => checkDrift({ vaults: options.vault, asApp: options.asApp, environment, credential }, procedure),
        showReport,
      );
    });

  changing(program.command('events').description("the vaults' events").command('ensure'))
    .description('have a vault tell the app of new, expiring and expired keys')
    .requiredOption('--vault <vault>', 'name, ARM id or URI of the vault')
    .option('--function-app <id>', 'ARM id of the app (default: CMK_FUNCTION_APP_ID)', environment?.CMK_FUNCTION_APP_ID)
    .option(
      '--storage <id>',
      "ARM id of the app's own storage, for dead letters (default: CMK_STORAGE_ACCOUNT_ID)",
      environment?.CMK_STORAGE_ACCOUNT_ID,
    )
    .action(async (options: { vault: string; functionApp?: string; storage?: string }, command: Command) => {
      const globals = command.optsWithGlobals<GlobalOptions>();
      const { vault, functionApp: functionAppId, storage: storageAccountId } = options;
      const eventGrid = createEventGrid(cli.credential(globals), cli.cloud(globals));
      await cli.run(command, (procedure) =>
        ensureEvents({ vault, functionAppId, storageAccountId }, eventGrid, procedure),
      );
    });
}

function showReport({ findings, counts, coverage, complete }: DriftReport, output: Output): ExitCode {
  const open = findings.filter(({ exemption }) => !exemption);
  output.table(
    ['SEVERITY', 'REASON', 'RESOURCE', 'IS', 'FIX'],
    open.map(({ severity, reason, resource, is, fix }) => [
      severity,
      reason,
      resource.split('/').slice(-2).join('/'),
      is,
      fix,
    ]),
  );
  output.text(
    `${counts.error} errors, ${counts.warning} warnings, ${counts.advice} advices; ${counts.exempt} accepted. Looked at ${coverage.vaults} vaults, ${coverage.keys} keys and ${coverage.accounts} accounts${complete ? '' : ', NOT all of it readable'}.`,
  );
  return counts.error + counts.warning > 0 || !complete ? EXIT.incomplete : EXIT.ok;
}

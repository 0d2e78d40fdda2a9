import type { Command } from 'commander';
import { z } from 'zod';
import { parseStorageAccountId } from '../../azure/resource-id.ts';
import type { DriftReport } from '../../drift/report.ts';
import { causeLabel, shortResource } from '../../fleet/fleet-summary.ts';
import { HEALTH_STATES, type HealthState } from '../../fleet/health-states.ts';
import { TEXT_LENGTHS } from '../../http/readable.ts';
import type { Environment } from '../../settings/settings.ts';
import { count } from '../../text.ts';
import { appOfEnvironment } from '../app-of-environment.ts';
import type { Cli, GlobalOptions } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';
import { choice, parsed, text, vaults } from '../options.ts';
import type { Output } from '../output.ts';

interface DriftArguments {
  vault: string[];
  expand?: boolean;
  key?: string[];
  resourceGroup?: string[];
  health?: HealthState[];
  cause?: string[];
}

/** `cmk drift`. */
export function addDriftCommand(program: Command, cli: Cli): void {
  const { environment } = cli;
  const drift = program
    .command('drift')
    .summary('what is, compared with what should be')
    .description('check accounts, keys, vaults and the app; it changes nothing, and needs no app')
    .addOption(vaults())
    .option('--key <key...>', 'findings about this key: <key>, <vault>/<key> or an identifier')
    .option('-g, --resource-group <group...>', 'findings about what is in this resource group')
    .addOption(choice('--health <state...>', 'findings by which accounts are in this state', HEALTH_STATES))
    .option('--cause <cause...>', 'findings of this reason code or cause')
    .option('--expand', 'each finding, in place of what is behind them')
    .action(async (options: DriftArguments, command: Command) => {
      const { checkDrift } = await import('../../operations/drift-check.ts');
      const { createServices } = await import('../../services.ts');
      const credential = cli.credential(command);
      const { vault: named, expand = false, key, resourceGroup, health, cause } = options;
      const { subscription } = command.optsWithGlobals<GlobalOptions>();
      await cli.look(
        command,
        async (operation) => {
          const services = (app: Environment) => createServices(app, credential, () => {});
          const report = await checkDrift({ vaults: named, environment, services }, operation);
          const { filterReport } = await import('../../drift/filter-report.ts');
          const { shorten } = await import('../../drift/causes.ts');
          const place = { resourceGroup, subscription: subscription ? [subscription] : undefined };
          const wanted = filterReport(report, { key, health, cause, ...place });
          return expand ? wanted : shorten(wanted);
        },
        (report, output) => {
          if (expand) showFindings(report, output);
          else showCauses(report, output);
          showCounts(report, output);
          const { counts, complete } = report;
          return counts.error + counts.warning > 0 || !complete ? EXIT.incomplete : EXIT.ok;
        },
      );
    });
  addRelease(drift.command('release'), cli);
}

const RELEASED = z.object({ account: z.string(), audit: z.string() });

function addRelease(command: Command, cli: Cli): void {
  command
    .summary('have the app repair a contested account again')
    .description(
      'have the app repair an account again that it leaves alone, since its repairs were undone (asks CMK_API)',
    )
    .argument('<account>', 'name or ARM id')
    .requiredOption('--reason <text>', 'why, for the audit trail', parsed(text('--reason', TEXT_LENGTHS.reason)))
    .option('--ticket <number>', 'change or incident number', parsed(text('--ticket', TEXT_LENGTHS.ticket)))
    .action(async (name: string, said: { reason: string; ticket?: string }) => {
      const { findAccount } = await import('../../operations/resolve.ts');
      const app = await appOfEnvironment(cli, command);
      await cli.look(
        command,
        async ({ azure }) => {
          const account = parseStorageAccountId(name)?.id ?? (await findAccount(name, azure)).id;
          return app.post('/drift/release', { account, ...said }, RELEASED);
        },
        ({ account, audit }, output) => {
          output.entry({ kind: 'done', text: `The app repairs ${account} again.` });
          if (audit === 'written') return EXIT.ok;
          output.note(audit);
          return EXIT.incomplete;
        },
      );
    });
}

/** What one act each would repair. */
function showCauses({ causes }: DriftReport, output: Output): void {
  const counted = causes.filter(({ exempt }) => !exempt);
  const rows = counted.map(({ severity, reason, affected, about, is, commands, moreCommands, fix }) => ({
    cells: [severity, reason, String(affected), causeLabel({ about }) || undefined, is],
    fix: `${fix}${oneOf(commands.length + moreCommands)}`,
    command: commands[0],
  }));
  showFixable(['SEVERITY', 'REASON', 'RESOURCES', 'CAUSE', 'IS'], rows, counted, output);
}

interface Fixable {
  readonly cells: readonly (string | undefined)[];
  readonly fix: string;
  readonly command: string | undefined;
}

/** A terminal has what to do below the table: a command that is cut cannot be copied. */
function showFixable(
  titles: readonly string[],
  rows: readonly Fixable[],
  records: readonly object[],
  output: Output,
): void {
  if (output.format !== 'terminal') {
    const all = rows.map(({ cells, fix, command }) => [...cells, fix, command]);
    output.table([...titles, 'FIX', 'COMMAND'], all, records);
    return;
  }
  if (rows.length === 0) return;
  output.table(
    titles,
    rows.map(({ cells }) => cells),
  );
  for (const { cells, fix, command } of rows) {
    output.text(`\n${cells[1]}${cells[3] === undefined ? '' : ` (${cells[3]})`}: ${fix}`);
    if (command !== undefined) output.text(`  ${command}`);
  }
  output.text('');
}

function oneOf(commands: number): string {
  return commands > 1 ? ` What follows is the first of ${count(commands, 'command')}: --expand shows each.` : '';
}

function showFindings({ findings }: DriftReport, output: Output): void {
  const counted = findings.filter(({ exemption }) => !exemption);
  const rows = counted.map(({ severity, reason, resource, is, fix, command }) => ({
    cells: [severity, reason, shortResource(resource), is],
    fix,
    command,
  }));
  showFixable(['SEVERITY', 'REASON', 'RESOURCE', 'IS'], rows, counted, output);
}

function showCounts({ counts, coverage, complete }: DriftReport, output: Output): void {
  const found = [count(counts.error, 'error'), count(counts.warning, 'warning'), `${counts.advice} to consider`];
  output.text(`${found.join(', ')}; ${counts.exempt} exempt.`);
  const seen = [count(coverage.vaults, 'vault'), count(coverage.keys, 'key'), count(coverage.accounts, 'account')];
  output.text(`Looked at ${seen[0]}, ${seen[1]} and ${seen[2]}${complete ? '' : ', NOT all of it readable'}.`);
}

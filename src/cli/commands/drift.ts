import type { Command } from 'commander';
import { z } from 'zod';
import { parseStorageAccountId } from '../../azure/resource-id.ts';
import type { DriftReport } from '../../drift/report.ts';
import { causeLabel, shortResource } from '../../fleet/fleet-summary.ts';
import { HEALTH_STATES, type HealthState } from '../../fleet/health-states.ts';
import type { Environment } from '../../settings/settings.ts';
import { count } from '../../text.ts';
import { appOfEnvironment } from '../app-of-environment.ts';
import type { Cli, GlobalOptions } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';
import { choice, explained, vaults } from '../options.ts';
import type { Column, Output } from '../output.ts';

interface DriftArguments {
  vault: string[];
  expand?: boolean;
  key?: string[];
  resourceGroup?: string[];
  health?: HealthState[];
  cause?: string[];
}

/** Adds `cmk drift`. */
export function addDriftCommand(program: Command, cli: Cli): void {
  const { environment } = cli;
  const drift = program
    .command('drift')
    .summary('observed state compared with desired state')
    .description('check accounts, keys, vaults and the app; changes nothing, and needs no deployed app')
    .addOption(vaults())
    .option('--key <key...>', 'only findings about this key: <key>, <vault>/<key> or an identifier')
    .option('-g, --resource-group <group...>', 'only findings about resources in this resource group')
    .addOption(choice('--health <state...>', 'only findings that put accounts into this state', HEALTH_STATES))
    .option('--cause <cause...>', 'only findings with this reason code or cause')
    .option('--expand', 'list each finding instead of each cause')
    .action(async (options: DriftArguments, command: Command) => {
      const { checkDrift } = await import('../../operations/drift-check.ts');
      const { createServices } = await import('../../services.ts');
      const credential = cli.credential(command);
      const { vault: vaults, expand = false, key, resourceGroup, health, cause } = options;
      const { subscription } = command.optsWithGlobals<GlobalOptions>();
      await cli.read(
        command,
        async (operation) => {
          const services = (app: Environment) => createServices(app, credential, () => {});
          const report = await checkDrift({ vaults, environment, services }, operation);
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
  explained(command)
    .summary('make the app repair a contested account again')
    .description('make the app (CMK_API) repair an account again after other writers undid its repairs')
    .argument('<account>', 'name or ARM id')
    .action(async (name: string, said: { reason: string; ticket?: string }) => {
      const { findAccount } = await import('../../operations/resolve.ts');
      const app = await appOfEnvironment(cli, command);
      await cli.read(
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

type Cause = DriftReport['causes'][number];
type Found = DriftReport['findings'][number];

/** Shows the causes; a single fix repairs each cause. */
function showCauses({ causes }: DriftReport, output: Output): void {
  const columns: readonly Column<Cause>[] = [
    'severity',
    'reason',
    ['RESOURCES', ({ affected }) => affected],
    ['CAUSE', ({ about }) => causeLabel({ about }) || undefined],
    'is',
  ];
  const counted = causes.filter(({ exempt }) => !exempt);
  showFixable(columns, counted, output, (cause) => ({
    about: causeLabel(cause),
    fix: `${cause.fix}${oneOf(cause.commands.length + cause.moreCommands)}`,
    command: cause.commands[0],
  }));
}

function showFindings({ findings }: DriftReport, output: Output): void {
  const columns: readonly Column<Found>[] = [
    'severity',
    'reason',
    ['RESOURCE', ({ resource }) => shortResource(resource)],
    'is',
  ];
  const counted = findings.filter(({ exemption }) => !exemption);
  showFixable(columns, counted, output, ({ resource, fix, command }) => ({
    about: shortResource(resource),
    fix,
    command,
  }));
}

interface Fix {
  readonly about: string;
  readonly fix: string;
  readonly command: string | undefined;
}

/** A terminal shows fixes below the table: a truncated command cannot be copied. */
function showFixable<T extends { readonly reason: string }>(
  columns: readonly Column<T>[],
  rows: readonly T[],
  output: Output,
  fixOf: (row: T) => Fix,
): void {
  if (output.format !== 'terminal') {
    output.list<T>([...columns, ['FIX', (row) => fixOf(row).fix], ['COMMAND', (row) => fixOf(row).command]], rows);
    return;
  }
  if (rows.length === 0) return;
  output.list<T>(columns, rows);
  for (const row of rows) {
    const { about, fix, command } = fixOf(row);
    output.text(`\n${row.reason}${about === '' ? '' : ` (${about})`}: ${fix}`);
    if (command !== undefined) output.text(`  ${command}`);
  }
  output.text('');
}

function oneOf(commands: number): string {
  return commands > 1 ? ` This is the first of ${count(commands, 'command')}: --expand shows all.` : '';
}

function showCounts({ counts, coverage, complete }: DriftReport, output: Output): void {
  const found = [count(counts.error, 'error'), count(counts.warning, 'warning'), `${counts.advice} to consider`];
  output.text(`${found.join(', ')}; ${counts.exempt} exempt.`);
  const [vaults, keys, accounts] = [coverage.vaults, coverage.keys, coverage.accounts];
  const checked = `${count(vaults, 'vault')}, ${count(keys, 'key')} and ${count(accounts, 'account')}`;
  output.text(`Checked ${checked}${complete ? '' : ', but NOT all could be read'}.`);
}

import type { Command } from 'commander';
import { z } from 'zod';
import { parseStorageAccountId } from '../../azure/resource-id.ts';
import type { DriftReport, WholeReport } from '../../drift/report.ts';
import { causeLabel, shortResource } from '../../fleet/fleet-summary.ts';
import { HEALTH_STATES, type HealthState } from '../../fleet/health-states.ts';
import { TEXT_LENGTHS } from '../../http/readable.ts';
import type { Log } from '../../log.ts';
import type { Environment } from '../../settings/settings.ts';
import { compareText, count } from '../../text.ts';
import { appOfEnvironment } from '../app-of-environment.ts';
import type { Cli, GlobalOptions } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';
import { choice, parsed, text, vaults } from '../options.ts';
import type { Output } from '../output.ts';

/** What causes and findings can be sorted by. */
const SORTS = ['reason', 'resources', 'since'] as const;

interface DriftArguments {
  vault: string[];
  asApp?: boolean;
  expand?: boolean;
  key?: string[];
  resourceGroup?: string[];
  tag?: string[];
  health?: HealthState[];
  cause?: string[];
  sort?: (typeof SORTS)[number];
}

/** `cmk drift`. */
export function addDriftCommand(program: Command, cli: Cli): void {
  const { environment } = cli;
  const drift = program
    .command('drift')
    .summary('what is, compared with what should be')
    .description('check accounts, keys, vaults and the app; without --as-app it changes nothing, and needs no app')
    .addOption(vaults())
    .option('--key <key...>', 'findings about this key: <key>, <vault>/<key> or an identifier')
    .option('-g, --resource-group <group...>', 'findings about what is in this resource group')
    .option('--tag <name=value...>', 'findings about accounts with this tag; a name alone: with any value')
    .addOption(choice('--health <state...>', 'findings by which accounts are in this state', HEALTH_STATES))
    .option('--cause <cause...>', 'findings of this reason code or cause')
    .addOption(choice('--sort <column>', 'what to sort by; without it the worst first', SORTS))
    .option('--expand', 'each finding, in place of what is behind them')
    .option('--as-app', "as the app does: fix what CMK_AUTOFIX names, and publish the report in the app's storage")
    .action(async (options: DriftArguments, command: Command) => {
      const { checkDrift, readAccountTags } = await import('../../operations/drift-check.ts');
      const { createServices } = await import('../../services.ts');
      const credential = cli.credential(command);
      const { vault: named, asApp = false, expand = false, sort } = options;
      const { key, resourceGroup, tag, health, cause } = options;
      const { subscription } = command.optsWithGlobals<GlobalOptions>();
      let troubles = 0;
      await cli.look(
        command,
        async (operation) => {
          const services = (app: Environment, log: Log) => createServices(app, credential, log);
          // First: a check that fixes would have done so when the tags turn out not to be had.
          const tags = tag && (await readAccountTags(subscription, environment, operation));
          const report = await checkDrift({ vaults: named, asApp, environment, services }, operation);
          troubles = operation.journal.entries.filter(({ kind }) => kind === 'note').length;
          const place = { resourceGroup, tag, subscription: subscription ? [subscription] : undefined };
          const { filterReport } = await import('../../drift/filter-report.ts');
          const { shorten } = await import('../../drift/causes.ts');
          const wanted = sortReport(filterReport(report, { key, health, cause, ...place }, tags), sort);
          return expand ? wanted : shorten(wanted);
        },
        (report, output) => {
          if (expand) showFindings(report, output);
          else showCauses(report, output);
          showCounts(report, output);
          if (asApp && troubles === 0) output.text(`Published as report ${report.id}.`);
          const { counts, complete } = report;
          return counts.error + counts.warning + troubles > 0 || !complete ? EXIT.incomplete : EXIT.ok;
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
          output.entry({ kind: 'note', text: audit });
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

/** Causes by resources: those with the most first; findings by the name of theirs. */
function sortReport(report: WholeReport, by: DriftArguments['sort']): WholeReport {
  if (by === undefined) return report;
  const of = by === 'resources' ? 'resource' : by;
  return {
    ...report,
    findings: [...report.findings].sort((a, b) => compareText(a[of], b[of])),
    causes: [...report.causes].sort((a, b) =>
      by === 'resources' ? b.affected - a.affected : compareText(a[by], b[by]),
    ),
  };
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

function showCounts({ fixes, counts, coverage, complete }: DriftReport, output: Output): void {
  for (const { reason, resource, outcome, detail } of fixes) {
    const what = `${reason} of ${shortResource(resource)}`;
    if (outcome === 'failed') output.entry({ kind: 'note', text: `${what} is NOT fixed: ${detail}` });
    else output.entry({ kind: 'done', text: `${what}: ${outcome === 'enqueued' ? 'enqueued. ' : ''}${detail}` });
  }
  const found = [count(counts.error, 'error'), count(counts.warning, 'warning'), `${counts.advice} to consider`];
  output.text(`${found.join(', ')}; ${counts.exempt} exempt.`);
  const seen = [count(coverage.vaults, 'vault'), count(coverage.keys, 'key'), count(coverage.accounts, 'account')];
  output.text(`Looked at ${seen[0]}, ${seen[1]} and ${seen[2]}${complete ? '' : ', NOT all of it readable'}.`);
}

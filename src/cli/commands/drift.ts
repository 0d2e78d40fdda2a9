import { type Command, Option } from 'commander';
import { z } from 'zod';
import type { DriftReport, WholeReport } from '../../drift/report.ts';
import { CmkError } from '../../errors.ts';
import { causeLabel, shortResource } from '../../fleet/fleet-summary.ts';
import { HEALTH_STATES, type HealthState } from '../../fleet/health-states.ts';
import type { Log } from '../../log.ts';
import type { Environment } from '../../settings/settings.ts';
import { compareText, count } from '../../text.ts';
import type { Cli, GlobalOptions } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';
import { changing, parsed, vaults } from '../options.ts';
import type { Output } from '../output.ts';

/** What causes and findings can be sorted by. */
const SORTS = ['reason', 'resources', 'since'] as const;

/** To be copied into a shell. */
const COMMAND = { title: 'COMMAND', whole: true } as const;

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

export function addDriftCommands(program: Command, cli: Cli): void {
  addDriftCheck(program, cli);
  addEvents(program, cli);
}

function addDriftCheck(program: Command, cli: Cli): void {
  const { environment } = cli;
  program
    .command('drift')
    .description('what is, compared with what should be')
    .command('check')
    .description('check accounts, keys, vaults and the app; without --as-app it changes nothing, and needs no app')
    .addOption(vaults())
    .option('--key <key...>', 'findings about this key: <key>, <vault>/<key> or an identifier')
    .option('-g, --resource-group <group...>', 'findings about what is in this resource group')
    .option('--tag <name=value...>', 'findings about accounts with this tag; a name alone: with any value')
    .addOption(new Option('--health <state...>', 'findings by which accounts stand so').choices(HEALTH_STATES))
    .option('--cause <cause...>', 'findings of this reason code or cause')
    .addOption(new Option('--sort <column>', 'what to sort by; without it the worst first').choices(SORTS))
    .option('--expand', 'each finding, in place of what is behind them')
    .option('--as-app', "as the app does: fix what CMK_AUTOFIX names, and publish the report in the app's storage")
    .action(async (options: DriftArguments, command: Command) => {
      const { checkDrift, readAccountTags } = await import('../../operations/drift-check.ts');
      const { createServices } = await import('../../services.ts');
      const credential = cli.credential(command.optsWithGlobals<GlobalOptions>());
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
          if (output.format === 'terminal' && report.health) output.text(`${report.health.text}.`);
          showCounts(report, output);
          if (asApp && troubles === 0) output.text(`Published as report ${report.id}.`);
          const { counts, complete } = report;
          return counts.error + counts.warning + troubles > 0 || !complete ? EXIT.incomplete : EXIT.ok;
        },
      );
    });
}

interface DestinationArguments {
  functionApp?: string;
  storage?: string;
}

function addEvents(program: Command, cli: Cli): void {
  const { environment } = cli;
  const events = program.command('events').description('what tells the app of new keys and of changes');
  const toApp = (command: Command): Command =>
    changing(command)
      .addOption(
        new Option('--function-app <id>', 'ARM id of the app').default(
          environment?.CMK_FUNCTION_APP_ID,
          'CMK_FUNCTION_APP_ID',
        ),
      )
      .addOption(
        new Option('--storage <id>', "ARM id of the app's own storage, for dead letters").default(
          environment?.CMK_STORAGE_ACCOUNT_ID,
          'CMK_STORAGE_ACCOUNT_ID',
        ),
      );
  toApp(events.command('ensure'))
    .description('have a vault tell the app of new, expiring and expired keys')
    .requiredOption('--vault <vault>', 'name, ARM id or URI of the vault')
    .action(async ({ vault, ...options }: DestinationArguments & { vault: string }, command: Command) => {
      const { ensureEvents } = await import('../../operations/vault/events-ensure.ts');
      const eventGrid = await eventGridOf(command);
      await cli.run(command, (operation) => ensureEvents({ vault, ...destination(options) }, eventGrid, operation));
    });
  toApp(events.command('watch'))
    .description('have a subscription tell the app of changes to accounts, roles, vaults and identities')
    .argument('<subscription>', 'id of the subscription', parsed(subscriptionId))
    .option('--client-id <id>', "client id of the app's identity, whose own writes are left out")
    .action(async (subscription: string, options: DestinationArguments & { clientId?: string }, command: Command) => {
      const { ensureWatch } = await import('../../operations/vault/events-ensure.ts');
      const eventGrid = await eventGridOf(command);
      const { clientId } = options;
      await cli.run(command, (operation) =>
        ensureWatch({ subscription, clientId, ...destination(options) }, eventGrid, operation),
      );
    });

  async function eventGridOf(command: Command) {
    const { createEventGrid } = await import('../../events/event-grid-client.ts');
    const globals = command.optsWithGlobals<GlobalOptions>();
    return createEventGrid(cli.credential(globals), cli.cloud(globals));
  }
}

function destination({ functionApp, storage }: DestinationArguments) {
  return { functionAppId: functionApp, storageAccountId: storage };
}

/** @throws {@link CmkError} `ArgumentInvalid` */
function subscriptionId(text: string): string {
  const { data } = z.guid().safeParse(text);
  if (data) return data.toLowerCase();
  throw new CmkError(
    'ArgumentInvalid',
    `${text} is not the id of a subscription.`,
    'Give its GUID: `az account list`.',
  );
}

/** What one act each would mend. */
function showCauses({ causes }: DriftReport, output: Output): void {
  const counted = causes.filter(({ exempt }) => !exempt);
  output.table(
    ['SEVERITY', 'REASON', 'RESOURCES', 'CAUSE', 'IS', 'FIX', COMMAND],
    counted.map(({ severity, reason, affected, about, is, commands, moreCommands, fix }) => [
      severity,
      reason,
      String(affected),
      causeLabel({ about }) || undefined,
      is,
      `${fix}${oneOf(commands.length + moreCommands)}`,
      commands[0],
    ]),
    counted,
  );
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
  output.table(
    ['SEVERITY', 'REASON', 'RESOURCE', 'IS', 'FIX', COMMAND],
    counted.map(({ severity, reason, resource, is, fix, command }) => [
      severity,
      reason,
      shortResource(resource),
      is,
      fix,
      command,
    ]),
    counted,
  );
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

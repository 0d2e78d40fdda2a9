import { parseStorageAccountId } from '../../azure/resource-id.ts';
import type { DriftReport } from '../../drift/report/report.ts';
import { formatCount } from '../../formats/text.ts';
import { formatCauseLabel, shortenResource } from '../../keys/resource-label.ts';
import type { Environment } from '../../settings/settings.ts';
import { HEALTH_STATES, type HealthState } from '../../status/health-states.ts';
import type { Operation } from '../procedures/operator-azure.ts';
import { findAccount } from '../procedures/resolve.ts';
import type { GlobalOptions } from '../terminal/cli.ts';
import type { CmkCommand } from '../terminal/command.ts';
import { createChoice } from '../terminal/options.ts';
import type { Column, Output } from '../terminal/output.ts';

interface DriftOptions extends Pick<GlobalOptions, 'subscription'> {
  vault: string[];
  expand?: boolean;
  key?: string[];
  resourceGroup?: string[];
  health?: HealthState[];
  cause?: string[];
}

/** A report with the rights that the sign-in lacks, as phrases. */
type ShownReport = DriftReport & { readonly missingRights: readonly string[] };

export function addDriftCommand(program: CmkCommand): void {
  const { cli } = program;
  const { environment } = cli;
  const check = async (operation: Operation, options: DriftOptions): Promise<ShownReport> => {
    const { checkDrift, filterReport, splitMissingRights } = await import('../procedures/app/drift-check.ts');
    const { createServices } = await import('../../services.ts');
    const { shorten } = await import('../../drift/report/causes.ts');
    const { vault: vaults, expand, key, resourceGroup, health, cause, subscription } = options;
    const services = (app: Environment) => createServices(app, cli.credential(), () => {});
    const whole = await checkDrift({ vaults, subscription, environment, services }, operation);
    const { report, missingRights } = splitMissingRights(whole);
    const place = { resourceGroup, subscription: subscription ? [subscription] : undefined };
    const wanted = filterReport(report, { key, health, cause, ...place });
    return { ...(expand ? wanted : shorten(wanted)), missingRights };
  };

  const drift = program
    .command('drift')
    .summary('observed state compared with desired state')
    .description('check accounts, keys, vaults and the app; changes nothing, and needs no deployed app')
    .ofVaults()
    .option('--key <key...>', 'only findings about this key: <key>, <vault>/<key> or an identifier')
    .option('-g, --resource-group <group...>', 'only findings about resources in this resource group')
    .addOption(createChoice('--health <state...>', 'only findings that put accounts into this state', HEALTH_STATES))
    .option('--cause <cause...>', 'only findings with this reason code or cause')
    .option('--expand', 'list each finding instead of each cause');

  drift.reads(check, showReport);
  addRelease(drift.command('release'));
}

function addRelease(command: CmkCommand): void {
  command
    .ordering()
    .summary('make the app repair a contested account again')
    .description('make the app (CMK_API) repair an account again after other writers undid its repairs')
    .argument('<account>', 'name or ARM id')
    .reads(
      async ({ azure }, { reason, ticket }: { reason: string; ticket?: string }, name) => {
        const { z } = await import('zod');
        const { createAppOfEnvironment } = await import('../terminal/app-of-environment.ts');
        const app = createAppOfEnvironment(command.cli);
        const account = parseStorageAccountId(name)?.id ?? (await findAccount(name, azure)).id;
        const released = z.object({ account: z.string(), audit: z.string() });
        return app.post('/drift/release', { account, reason, ticket }, released);
      },
      ({ account, audit }, output) => {
        output.entry({ kind: 'done', text: `The app repairs ${account} again.` });
        if (audit !== 'written') output.problems([audit]);
      },
    );
}

function showReport(report: ShownReport, output: Output, { expand }: DriftOptions): void {
  if (expand) showFindings(report, output);
  else showCauses(report, output);
  const { counts, coverage, complete } = report;
  const found = [
    formatCount(counts.error, 'error'),
    formatCount(counts.warning, 'warning'),
    `${counts.advice} to consider`,
  ];
  output.text(`${found.join(', ')}; ${counts.exempt} exempt.`);
  const { vaults, keys, accounts } = coverage;
  const checked = `${formatCount(vaults, 'vault')}, ${formatCount(keys, 'key')} and ${formatCount(accounts, 'account')}`;
  output.text(`Checked ${checked}${complete ? '' : ', but NOT all could be read'}.`);
  if (report.missingRights.length > 0) {
    output.text(`Not checked, because your sign-in may not: ${report.missingRights.join('; ')}.`);
    output.text('With Key Vault Reader on a vault it checks versions, expiry and revocations of its keys too.');
  }
  output.incompleteIf(counts.error + counts.warning > 0 || !complete);
}

type Fix = { readonly about: string; readonly fix: string; readonly command: string | undefined };

/** Shows the causes; a single fix repairs each cause. */
function showCauses({ causes }: DriftReport, output: Output): void {
  const fixOf = (cause: DriftReport['causes'][number]): Fix => {
    const commands = cause.commands.length + cause.moreCommands;
    const more = commands > 1 ? ` This is the first of ${formatCount(commands, 'command')}: --expand shows all.` : '';
    return { about: formatCauseLabel(cause), fix: `${cause.fix}${more}`, command: cause.commands[0] };
  };

  const counted = causes.filter(({ exempt }) => !exempt);
  showFixable(
    [
      ['RESOURCES', ({ affected }) => affected],
      ['CAUSE', (cause) => fixOf(cause).about || undefined],
    ],
    counted,
    fixOf,
    output,
  );
}

function showFindings({ findings }: DriftReport, output: Output): void {
  const counted = findings.filter(({ exemption }) => !exemption);
  const fixOf = ({ resource, fix, command }: DriftReport['findings'][number]): Fix => ({
    about: shortenResource(resource),
    fix,
    command,
  });
  showFixable([['RESOURCE', (finding) => fixOf(finding).about]], counted, fixOf, output);
}

/** A terminal shows fixes below the table: a truncated command cannot be copied. */
function showFixable<T extends { readonly severity: string; readonly reason: string; readonly is: string }>(
  about: readonly Column<T>[],
  rows: readonly T[],
  fixOf: (row: T) => Fix,
  output: Output,
): void {
  const columns: readonly Column<T>[] = ['severity', 'reason', ...about, 'is'];

  if (output.format !== 'terminal') {
    output.list<T>([...columns, ['FIX', (row) => fixOf(row).fix], ['COMMAND', (row) => fixOf(row).command]], rows);
    return;
  }

  if (rows.length === 0) return;

  output.list<T>(columns, rows);

  for (const row of rows) {
    const { about: label, fix, command } = fixOf(row);
    output.text(`\n${row.reason}${label === '' ? '' : ` (${label})`}: ${fix}`);
    if (command !== undefined) output.text(`  ${command}`);
  }

  output.text('');
}

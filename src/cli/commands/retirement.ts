import { type Command, Option } from 'commander';
import { LEAST_RETIRE_HOURS, NOT_KNOWN } from '../../retirement/retirement.ts';
import type { Cli } from '../cli.ts';
import { confirmName } from '../confirm.ts';
import { changing, confirmed, number } from '../options.ts';

interface RetireArguments {
  version?: string;
  afterHours: number;
  withoutEvidence?: boolean;
  withEvidence?: boolean;
  usageWorkspace?: string;
  dryRun?: boolean;
  yes?: boolean;
  reason?: string;
  ticket?: string;
}

export function addRetire(command: Command, cli: Cli): void {
  confirmed(changing(command))
    .description('read what uses the key, and disable versions that nothing known uses any more')
    .option('--version <version>', 'this version only (default: every version that can be retired)')
    .option('--after-hours <hours>', 'least age of the next version', number, LEAST_RETIRE_HOURS)
    .option('--with-evidence', "disable those that the vaults' log proves unused")
    .addOption(
      new Option('--usage-workspace <id>', 'id of the Log Analytics workspace with that log').default(
        cli.environment?.CMK_USAGE_WORKSPACE,
        'CMK_USAGE_WORKSPACE',
      ),
    )
    .addOption(
      new Option('--without-evidence', 'disable them, on your responsibility for uses that are not known').conflicts(
        'withEvidence',
      ),
    )
    .action(async (name: string, options: RetireArguments) => {
      const { version, afterHours: hours, withoutEvidence, withEvidence, usageWorkspace: workspace } = options;
      const { dryRun, yes = false, reason: why, ticket } = options;
      const by = withoutEvidence ? 'person' : withEvidence ? 'log' : 'look';
      const { environment } = cli;
      const { retireVersions } = await import('../../operations/key/key-retire.ts');
      const key = await cli.key(name, command);
      if (by !== 'look' && !dryRun) {
        const what = `disable ${version ?? 'every version without a known use'} of`;
        const mind = () => (withoutEvidence ? NOT_KNOWN : '');
        await confirmName(what, `${key.vault.name}/${key.name}`, yes, cli.context.ask, mind);
      }
      const app = await cli.appRecord(command);
      const asked = { version, hours, by, why, ticket, workspace, environment, app } as const;
      await cli.run(command, (operation) => retireVersions(key, asked, operation));
    });
}

export function addUnretire(command: Command, cli: Cli): void {
  changing(command)
    .description('enable a retired version again, and exclude it from retirement')
    .requiredOption('--version <version>', 'the version')
    .action(async (name: string, options: { version: string; reason?: string; ticket?: string }) => {
      const { version, reason: why, ticket } = options;
      const { unretireVersion } = await import('../../operations/key/key-retire.ts');
      const key = await cli.key(name, command);
      const app = await cli.appRecord(command);
      await cli.run(command, (operation) => unretireVersion(key, { version, why, ticket, app }, operation));
    });
}

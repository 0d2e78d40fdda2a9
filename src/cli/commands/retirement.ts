import { type Command, Option } from 'commander';
import { NOT_KNOWN } from '../../retirement/retirement.ts';
import type { Cli } from '../cli.ts';
import { confirmName } from '../confirm.ts';
import { changing, confirmed } from '../options.ts';

interface RetireArguments {
  version?: string;
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
    .description('disable versions without a known use; without an evidence option it is a dry run')
    .option('--version <version>', 'this version only (default: every version that can be retired)')
    .option('--with-evidence', "disable versions that the vault's log proves unused")
    .addOption(
      new Option('--usage-workspace <id>', 'id of the Log Analytics workspace with that log').default(
        cli.environment?.CMK_USAGE_WORKSPACE,
        'CMK_USAGE_WORKSPACE',
      ),
    )
    .addOption(
      new Option('--without-evidence', 'disable them, and accept responsibility for unknown uses').conflicts(
        'withEvidence',
      ),
    )
    .action(async (name: string, options: RetireArguments) => {
      const { version, withoutEvidence, withEvidence, usageWorkspace: workspace } = options;
      const { yes = false, reason: why, ticket } = options;
      const proof = withoutEvidence ? 'person' : 'log';
      const dryRun = options.dryRun || !(withoutEvidence || withEvidence);
      if (dryRun) command.setOptionValue('dryRun', true);
      const { environment } = cli;
      const { retireVersions } = await import('../../operations/key/key-retire.ts');
      const key = await cli.key(name, command);
      if (!dryRun) {
        const what = `disable ${version ?? 'every version without a known use'} of`;
        const mind = () => (withoutEvidence ? NOT_KNOWN : '');
        await confirmName(what, `${key.vault.name}/${key.name}`, yes, cli.context.ask, mind);
      }
      const app = await cli.appRecord(command);
      const asked = { version, proof, why, ticket, workspace, environment, app } as const;
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

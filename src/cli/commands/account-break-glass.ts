import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { confirmName } from '../confirm.ts';
import { changing, confirmed } from '../options.ts';
import { placeOf } from './account-options.ts';
import { type BreakGlassArguments, exitOf, reasonOf } from './break-glass.ts';

const ABOUT = `
For a case that concerns one account and not the company, on your own sign-in:
it takes the right to assign roles on the vault, or to write its access
policies. It is done once and is not sticky: a person who may grant access can
grant it again. Not in a Managed HSM. What is removed is in the audit trail
of the app (AzureWebJobsStorage__accountName), and a restore grants exactly
that. Repeat either if it fails half-way.`;

/** `account revoke` and `account restore`. */
export function addAccountBreakGlass(named: (name: string) => Command, cli: Cli): void {
  addRevoke(confirmed(changing(named('revoke'))).addHelpText('after', ABOUT), cli);
  addRestore(confirmed(changing(named('restore'))).addHelpText('after', ABOUT), cli);
}

function addRevoke(revoking: Command, cli: Cli): void {
  revoking
    .description("BREAK GLASS: remove the role of one account's identity on its key, and leave the key")
    .option('--shared', 'also where other accounts have the same identity, which are cut off too')
    .action(async (account: string, options: BreakGlassArguments & { shared?: boolean }, command: Command) => {
      const { revokeAccount } = await import('../../operations/account/account-revoke.ts');
      const reason = await confirmedReason('revoke', account, options, cli);
      const { ticket, shared = false } = options;
      const { audit } = await cli.appRecord(command);
      const asked = { ...placeOf(command.optsWithGlobals()), account, shared, reason, ticket, audit };
      await cli.run(command, (operation) => revokeAccount(asked, operation), exitOf(options));
    });
}

function addRestore(restoring: Command, cli: Cli): void {
  restoring
    .description('grant what `account revoke` removed since the last restore, and nothing else')
    .action(async (account: string, options: BreakGlassArguments, command: Command) => {
      const reason = await confirmedReason('restore', account, options, cli);
      const { auditFiles } = await import('../../audit/audit-client.ts');
      const { auditContainer } = await import('../../audit/audit-client.ts');
      const { restoreAccount } = await import('../../operations/account/account-restore.ts');
      const { readStorageSettings } = await import('../../settings/settings.ts');
      const credential = () => cli.credential(command);
      const trail = auditFiles(auditContainer(readStorageSettings(cli.environment), credential));
      const { audit } = await cli.appRecord(command);
      const asked = { ...placeOf(command.optsWithGlobals()), account, reason, ticket: options.ticket, audit, trail };
      await cli.run(command, (operation) => restoreAccount(asked, operation));
    });
}

/** The reason, and the name typed as confirmation; a dry run needs neither. */
async function confirmedReason(what: string, name: string, options: BreakGlassArguments, cli: Cli): Promise<string> {
  if (options.dryRun) return '';
  const reason = await reasonOf(options, cli.context.ask);
  await confirmName(what, name, options.yes ?? false, cli.context.ask);
  return reason;
}

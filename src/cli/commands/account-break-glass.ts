import type { Command } from 'commander';
import type { Cli, GlobalOptions } from '../cli.ts';
import { confirmName } from '../confirm.ts';
import { changing, confirmed } from '../options.ts';
import { placeOf } from './account-options.ts';
import { type BreakGlassArguments, exitOf, ofRevocation, reasonOf } from './break-glass.ts';

interface AccountBreakGlassArguments extends BreakGlassArguments {
  scope?: string;
}

const WHAT = `
For a case that concerns one account and not the company. Without --scope the
role of the account's identity on its key is taken away, which takes an Azure
RBAC vault and an identity that no other account has; with it, one encryption
scope is disabled, which stops blobs and no file share. --dry-run says what
stops, what goes on, and what Microsoft does not say.`;
const NEEDS = `
Needs Azure Resource Manager: the right to write the account's tags, and to take
and give the role, or to write the scope. Whoever revoked cannot restore, unless
CMK_DUAL_CONTROL is off.`;

/** `account revoke` and `account restore`: what the app's API does, by the same code, without the app. */
export function addAccountBreakGlass(named: (name: string) => Command, cli: Cli): void {
  addRevoke(confirmed(changing(named('revoke'))).addHelpText('after', `${WHAT}${NEEDS}`), cli);
  addRestore(confirmed(changing(named('restore'))).addHelpText('after', NEEDS), cli);
}

function addRevoke(revoking: Command, cli: Cli): void {
  revoking
    .description('BREAK GLASS: cut one account, or one encryption scope, off from its key, and not the key')
    .option('--scope <scope>', 'the encryption scope, instead of the whole account')
    .action(async (account: string, options: AccountBreakGlassArguments, command: Command) => {
      const globals = command.optsWithGlobals<GlobalOptions>();
      const { appRecord } = await import('../../operations/key/app-record.ts');
      const { previewAccountRevocation, revokeAccountAsOperator } = await import(
        '../../operations/account/account-revoke.ts'
      );
      const { environment } = cli;
      const { ask } = cli.context;
      const what = { ...placeOf(globals), account, scope: options.scope };
      const reason = options.dryRun ? '' : await reasonOf(options, ask);
      const name = options.scope === undefined ? account : `${account}/${options.scope}`;
      if (!options.dryRun) await confirmName('revoke', name, options.yes ?? false, ask);
      const app = appRecord(environment, () => cli.credential(globals));
      await cli.run(
        command,
        (operation) =>
          options.dryRun
            ? previewAccountRevocation(what, operation)
            : revokeAccountAsOperator({ ...what, reason, ticket: options.ticket, environment, app }, operation),
        exitOf(options),
      );
    });
}

function addRestore(restoring: Command, cli: Cli): void {
  ofRevocation(restoring, 'and in the drift report')
    .description('give back what a revocation of an account took away, and nothing else; by another person')
    .action(async (account: string, options: AccountBreakGlassArguments, command: Command) => {
      const globals = command.optsWithGlobals<GlobalOptions>();
      const { appRecord } = await import('../../operations/key/app-record.ts');
      const { restoreAccountAsOperator } = await import('../../operations/account/account-restore.ts');
      const { readDualControl } = await import('../../settings/access.ts');
      const { ticket, revocation = '' } = options;
      const reason = options.dryRun ? '' : await reasonOf(options, cli.context.ask);
      if (!options.dryRun) await confirmName('restore', account, options.yes ?? false, cli.context.ask);
      const dualControl = readDualControl(cli.environment);
      const app = appRecord(cli.environment, () => cli.credential(globals));
      const what = { ...placeOf(globals), account, revocation, reason, ticket, dualControl, app };
      await cli.run(command, (operation) => restoreAccountAsOperator(what, operation), exitOf(options));
    });
}

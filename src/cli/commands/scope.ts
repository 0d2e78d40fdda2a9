import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { confirmName } from '../confirm.ts';
import { changing, confirmed, placeOf } from '../options.ts';

interface ScopeArguments {
  yes?: boolean;
  dryRun?: boolean;
}

/** `scope disable` and `scope enable`: a state that Azure itself keeps. */
export function addScopeCommands(program: Command, cli: Cli): void {
  const scope = program.command('scope').description('encryption scopes: enable, disable');
  const named = (name: string): Command =>
    changing(scope.command(name))
      .argument('<account>', 'name or ARM id of the storage account')
      .argument('<scope>', 'name of the encryption scope')
      .option('-g, --resource-group <group>', 'resource group the account is in');
  const run = (state: 'Enabled' | 'Disabled') => {
    return async (account: string, name: string, options: ScopeArguments, command: Command): Promise<void> => {
      const { setScopeState } = await import('../../operations/account/scope-state.ts');
      const asks = state === 'Disabled' && !options.dryRun;
      if (asks) await confirmName('disable', `${account}/${name}`, options.yes ?? false, cli.context.ask);
      const asked = { ...placeOf(command.optsWithGlobals()), account, scope: name, state };
      await cli.run(command, (operation) => setScopeState(asked, operation));
    };
  };
  confirmed(named('disable'))
    .description('refuse every request for data of an encryption scope, until it is enabled')
    .action(run('Disabled'));
  named('enable').description('enable an encryption scope, also one that version 2 revoked').action(run('Enabled'));
}

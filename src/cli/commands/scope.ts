import type { Command } from 'commander';
import type { Where } from '../../operations/resolve.ts';
import type { Cli } from '../cli.ts';
import { confirmName } from '../confirm.ts';
import { changing, confirmed } from '../options.ts';

/** Adds `scope disable` and `scope enable`. Azure itself stores the state. */
export function addScopeCommands(program: Command, cli: Cli): void {
  const scope = program.command('scope').description('encryption scopes: enable, disable');
  const named = (name: string): Command =>
    changing(scope.command(name))
      .argument('<account>', 'name or ARM id of the storage account')
      .argument('<scope>', 'name of the encryption scope')
      .option('-g, --resource-group <group>', 'resource group of the account');
  const run = (state: 'Enabled' | 'Disabled') => {
    return async (account: string, scope: string, _: unknown, command: Command): Promise<void> => {
      const { setScopeState } = await import('../../operations/account/scope-state.ts');
      const options = command.optsWithGlobals<Where & { yes?: boolean; dryRun?: boolean }>();
      const { yes = false, dryRun = false } = options;
      if (state === 'Disabled') await confirmName('disable', `${account}/${scope}`, yes || dryRun, cli.context.ask);
      await cli.run(command, (operation) => setScopeState({ ...options, account, scope, state }, operation));
    };
  };
  confirmed(named('disable'))
    .description('block every request for data of an encryption scope until it is enabled again')
    .action(run('Disabled'));
  named('enable')
    .description('enable an encryption scope, also after a revocation by version 2')
    .action(run('Enabled'));
}

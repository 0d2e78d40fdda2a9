import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { confirmName } from '../confirm.ts';
import { changing, inGroup } from '../options.ts';
import { addAccountBreakGlass } from './account-break-glass.ts';
import { addAccountViews } from './account-list.ts';
import { choiceOf, fromOtherTenant, granting, type KeyArguments, placeOf, withKeyOptions } from './account-options.ts';
import { addManyAccountCommands } from './many-accounts.ts';

interface CreateArguments extends KeyArguments {
  identity?: string;
  grant?: boolean;
  federatedClientId?: string;
  location?: string;
  sku: string;
  kind: string;
}

export function addAccountCommands(program: Command, cli: Cli): void {
  const account = program
    .command('account')
    .description('storage accounts and their keys')
    .summary('storage accounts: list, show, onboard, verify, enable, pin, …');
  addAccountViews(account, cli);
  const named = (name: string): Command =>
    account.command(name).argument('<account>', 'name or ARM id of the storage account');
  const inPlace = (command: Command): Command =>
    command.option('-g, --resource-group <group>', 'resource group it is in');
  const there = (name: string): Command => inPlace(named(name));
  const many = (name: string): Command =>
    inPlace(account.command(name).argument('[account]', 'name or ARM id of the storage account'));
  addManyAccountCommands(many, cli);
  addCreate(inGroup(named('create'), 'to create it in'), cli);
  addDisable(there('disable'), cli);
  addAccountBreakGlass(there, cli);
}

function addCreate(command: Command, cli: Cli): void {
  fromOtherTenant(granting(withKeyOptions(command)))
    .description('create an account that is encrypted with a key from its first byte on')
    .option('--identity <identity>', 'user-assigned identity: a new account has no other yet')
    .option('--sku <sku>', 'redundancy', 'Standard_LRS')
    .option('--kind <kind>', 'kind of account', 'StorageV2')
    .action(async (account: string, options: CreateArguments) => {
      const { createAccount } = await import('../../operations/account/account-create.ts');
      const { identity, grant, federatedClientId, location, sku, kind, wait } = options;
      const asked = { account, identity, grant, federatedClientId, location, sku, kind, waitSeconds: wait };
      await cli.run(command, (operation) =>
        createAccount({ ...placeOf(command.optsWithGlobals()), ...asked, key: choiceOf(options) }, operation),
      );
    });
}

function addDisable(command: Command, cli: Cli): void {
  changing(command)
    .description('give an account back to Microsoft-managed keys, and record on it that this is meant')
    .option('--yes', 'do not ask for the name to be typed; needed for an account that is tagged cmk-key')
    .action(async (account: string, { reason, yes = false }: { reason?: string; yes?: boolean }) => {
      const { disableAccount } = await import('../../operations/account/account-change.ts');
      const confirm = (name: string): Promise<void> =>
        confirmName('give back to Microsoft-managed keys', name, false, cli.context.ask);
      await cli.run(command, (operation) =>
        disableAccount({ ...placeOf(command.optsWithGlobals()), account, reason, yes, confirm }, operation),
      );
    });
}

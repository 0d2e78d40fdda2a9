import { type Command, Option } from 'commander';
import { CmkError } from '../../errors.ts';
import type { Vault } from '../../vaults/vault-client.ts';
import type { Cli } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';
import { changing, inGroup, vaults, watching } from '../options.ts';

interface VaultArguments {
  subscription?: string;
  resourceGroup?: string;
  location?: string;
  sku?: 'standard' | 'premium';
}

export function addVaultCommands(program: Command, cli: Cli): void {
  const vault = program.command('vault').description('key vaults: list, show, ensure');
  watching(vault.command('list'))
    .description('the vaults of CMK_VAULTS, as Azure Resource Manager shows them on your sign-in')
    .addOption(vaults())
    .action(async ({ vault: named }: { vault: string[] }, command: Command) => {
      const { findVault } = await import('../../operations/resolve.ts');
      const { CMK_VAULTS = '' } = cli.environment;
      const all = named.length > 0 ? named : CMK_VAULTS.split(/[\s,;]+/).filter((one) => one !== '');
      if (all.length === 0) {
        throw new CmkError('ArgumentInvalid', 'Which vaults?', 'Name them with --vault <vault>, or set CMK_VAULTS.');
      }
      await cli.look(
        command,
        ({ azure }) => Promise.all(all.map((one) => findVault(one, azure))),
        (found, output) => {
          output.table(
            ['VAULT', 'REGION', 'SKU', 'ACCESS', 'PURGE PROTECTION', 'PUBLIC ACCESS', 'RESOURCE GROUP', 'SUBSCRIPTION'],
            found.map((one) => factsOf(one).map(([, value]) => value)),
            found,
          );
          return EXIT.ok;
        },
      );
    });
  watching(vault.command('show'))
    .argument('<vault>', 'name, ARM id or URI')
    .description('one vault, as Azure Resource Manager shows it on your sign-in')
    .action(async (name: string, _options: unknown, command: Command) => {
      const { findVault } = await import('../../operations/resolve.ts');
      await cli.look(
        command,
        ({ azure }) => findVault(name, azure),
        (found, output) => {
          output.facts([...factsOf(found), ['id', found.id], ['uri', found.uri]], found);
          output.text(`Its keys: cmk key list --vault ${found.name}`);
          return EXIT.ok;
        },
      );
    });
  inGroup(changing(vault.command('ensure')), 'to create it in')
    .argument('<vault>', 'name, ARM id or URI')
    .description('create a key vault with purge protection, or turn it on for one that is there (for good)')
    .addOption(new Option('--sku <sku>', 'premium vaults hold keys in hardware').choices(['standard', 'premium']))
    .action(async (name: string, _options: unknown, command: Command) => {
      const { subscription, resourceGroup, location, sku } = command.optsWithGlobals<VaultArguments>();
      const { ensureVault } = await import('../../operations/vault/vault-ensure.ts');
      await cli.run(command, (operation) =>
        ensureVault({ name, subscription, resourceGroup, location, sku }, operation),
      );
    });
}

function factsOf(vault: Vault): (readonly [string, string])[] {
  const { purgeProtection, network } = vault;
  return [
    ['vault', vault.name],
    ['region', vault.location],
    ['sku', vault.sku],
    ['access', vault.accessModel],
    ['purge protection', purgeProtection ? 'on' : 'OFF'],
    ['public access', network.publicAccess],
    ['resource group', vault.resourceGroup],
    ['subscription', vault.subscriptionId],
  ];
}

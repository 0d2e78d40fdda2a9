import { type Command, Option } from 'commander';
import { CmkError } from '../../errors.ts';
import type { Where } from '../../operations/resolve.ts';
import type { Vault } from '../../vaults/vault-client.ts';
import type { Cli } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';
import { changing, inGroup, vaults, watching } from '../options.ts';

interface VaultArguments extends Where {
  location?: string;
  sku?: 'standard' | 'premium';
}

export function addVaultCommands(program: Command, cli: Cli): void {
  const vault = program.command('vault').description('key vaults: list, show, ensure');
  watching(vault.command('list'))
    .description('the vaults of CMK_VAULTS, read from Azure Resource Manager with your sign-in')
    .addOption(vaults())
    .action(async ({ vault: named }: { vault: string[] }, command: Command) => {
      const { findVault } = await import('../../operations/resolve.ts');
      const { CMK_VAULTS = '' } = cli.environment;
      const all = named.length > 0 ? named : CMK_VAULTS.split(/[\s,;]+/).filter((one) => one !== '');
      if (all.length === 0) {
        throw new CmkError(
          'ArgumentInvalid',
          'No vault is named.',
          'Name vaults with --vault <vault>, or set CMK_VAULTS.',
        );
      }
      await cli.read(
        command,
        ({ azure }) => Promise.all(all.map((one) => findVault(one, azure))),
        (found, output) => {
          output.list<Vault>(COLUMNS, found);
          return EXIT.ok;
        },
      );
    });
  watching(vault.command('show'))
    .argument('<vault>', 'name, ARM id or URI')
    .description('one vault, read from Azure Resource Manager with your sign-in')
    .action(async (name: string, _options: unknown, command: Command) => {
      const { findVault } = await import('../../operations/resolve.ts');
      await cli.read(
        command,
        ({ azure }) => findVault(name, azure),
        (found, output) => {
          const facts = COLUMNS.map(([title, cellOf]) => [title.toLowerCase(), cellOf(found)] as const);
          output.facts([...facts, ['id', found.id], ['uri', found.uri]], found);
          output.text(`Its keys: cmk key list --vault ${found.name}`);
          return EXIT.ok;
        },
      );
    });
  inGroup(changing(vault.command('ensure')), 'to create it in')
    .argument('<vault>', 'name, ARM id or URI')
    .description('create a key vault with purge protection, or enable it permanently on an existing vault')
    .addOption(new Option('--sku <sku>', 'premium vaults hold keys in hardware').choices(['standard', 'premium']))
    .action(async (name: string, _options: unknown, command: Command) => {
      const { ensureVault } = await import('../../operations/vault/vault-ensure.ts');
      const options = command.optsWithGlobals<VaultArguments>();
      await cli.run(command, (operation) => ensureVault({ ...options, name }, operation));
    });
}

const COLUMNS: readonly (readonly [string, (vault: Vault) => string])[] = [
  ['VAULT', ({ name }) => name],
  ['REGION', ({ location }) => location],
  ['SKU', ({ sku }) => sku],
  ['ACCESS', ({ accessModel }) => accessModel],
  ['PURGE PROTECTION', ({ purgeProtection }) => (purgeProtection ? 'on' : 'OFF')],
  ['PUBLIC ACCESS', ({ network }) => network.publicAccess],
  ['RESOURCE GROUP', ({ resourceGroup }) => resourceGroup],
  ['SUBSCRIPTION', ({ subscriptionId }) => subscriptionId],
];

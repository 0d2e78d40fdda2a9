import { Option } from 'commander';
import type { Vault } from '../../vaults/vault-client.ts';
import { findVault, type Where } from '../procedures/resolve.ts';
import type { CmkCommand } from '../terminal/command.ts';
import { UsageError } from '../terminal/options.ts';

export function addVaultCommands(program: CmkCommand): void {
  const vault = program.command('vault').description('key vaults: list, show, ensure');
  vault
    .command('list')
    .watching()
    .description('the vaults of CMK_VAULTS, read from Azure Resource Manager with your sign-in')
    .ofVaults()
    .reads(
      async ({ azure }, { vault: named }: { vault: string[] }) => {
        const { CMK_VAULTS = '' } = program.cli.environment;
        const all = named.length > 0 ? named : CMK_VAULTS.split(/[\s,;]+/).filter((one) => one !== '');
        if (all.length > 0) return Promise.all(all.map((one) => findVault(one, azure)));
        throw new UsageError('No vault is named.', 'Name vaults with --vault <vault>, or set CMK_VAULTS.');
      },
      (found, output) => output.list<Vault>(COLUMNS, found),
    );

  vault
    .command('show')
    .watching()
    .argument('<vault>', 'name, ARM id or URI')
    .description('one vault, read from Azure Resource Manager with your sign-in')
    .reads(
      async ({ azure }, _, name) => findVault(name, azure),
      (found, output) => {
        const facts = COLUMNS.map(([title, cellOf]) => [title.toLowerCase(), cellOf(found)] as const);
        output.facts([...facts, ['id', found.id], ['uri', found.uri]], found);
        output.text(`Its keys: cmk key list --vault ${found.name}`);
      },
    );

  vault
    .command('ensure')
    .changing()
    .inGroup('to create it in')
    .argument('<vault>', 'name, ARM id or URI')
    .description('create a key vault with purge protection, or enable it permanently on an existing vault')
    .addOption(new Option('--sku <sku>', 'premium vaults hold keys in hardware').choices(['standard', 'premium']))
    .changes(async (operation, options: Where & { location?: string; sku?: 'standard' | 'premium' }, name) => {
      const { ensureVault } = await import('../procedures/vault/vault-ensure.ts');
      return ensureVault({ ...options, name }, operation);
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

import { type Command, Option } from 'commander';
import { checkRetention } from '../../operations/vault/vault-ensure.ts';
import type { Cli } from '../cli.ts';
import { changing, inGroup, number, parsed } from '../options.ts';

interface VaultArguments {
  subscription?: string;
  resourceGroup?: string;
  location?: string;
  sku?: 'standard' | 'premium';
  retentionDays?: number;
}

export function addVaultCommands(program: Command, cli: Cli): void {
  const vault = program.command('vault').description('key vaults');
  inGroup(changing(vault.command('ensure')), 'to create it in')
    .argument('<vault>', 'name, ARM id or URI')
    .description('create a key vault with purge protection, or turn it on for one that is there (for good)')
    .addOption(new Option('--sku <sku>', 'premium vaults hold keys in hardware').choices(['standard', 'premium']))
    .option(
      '--retention-days <days>',
      'how long deleted keys can be recovered, 7 to 90 (default: 90)',
      parsed(retention),
    )
    .action(async (name: string, _options: unknown, command: Command) => {
      const { subscription, resourceGroup, location, sku, retentionDays } = command.optsWithGlobals<VaultArguments>();
      const { ensureVault } = await import('../../operations/vault/vault-ensure.ts');
      await cli.run(command, (operation) =>
        ensureVault({ name, subscription, resourceGroup, location, sku, retentionDays }, operation),
      );
    });
}

function retention(text: string): number {
  const days = number(text);
  checkRetention(days);
  return days;
}

import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';
import { vaults } from '../options.ts';

export function addDoctorCommand(program: Command, cli: Cli): void {
  program
    .command('doctor')
    .description('check sign-in, subscriptions, vaults, rights and settings')
    .addOption(vaults())
    .action(async (options: { vault: string[] }, command: Command) => {
      const { examine } = await import('../../operations/doctor.ts');
      await cli.read(
        command,
        (operation) => examine(options.vault, cli.environment, operation),
        (checks, output) => {
          output.checks(checks);
          return checks.some(({ state }) => state === 'failed') ? EXIT.incomplete : EXIT.ok;
        },
      );
    });
}

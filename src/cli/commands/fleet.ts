import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';

export function addFleetCommands(program: Command, cli: Cli): void {
  const fleet = program.command('fleet').description('every account that your sign-in sees');
  fleet
    .command('list')
    .description('accounts with their key, mode and version, and how they stand')
    .option('--all', 'accounts with Microsoft-managed keys too')
    .option('--scopes', 'encryption scopes too (one call more for each account)')
    .action(async ({ all = false, scopes = false }: { all?: boolean; scopes?: boolean }, command: Command) => {
      const { listFleet } = await import('../../operations/fleet-list.ts');
      const { subscription } = command.optsWithGlobals<{ subscription?: string }>();
      await cli.look(
        command,
        (operation) => listFleet({ subscription, scopes, all }, operation),
        ({ rows, unread }, output) => {
          output.table(
            ['ACCOUNT', 'REGION', 'KEY', 'MODE', 'VERSION', 'STATE'],
            rows.map(({ name, scope, region, key, mode, version, state }) => [
              scope ? `${name}/${scope}` : name,
              region,
              key?.replace(/^https:\/\/([^.]+)\.[^/]+\/keys\//, '$1/'),
              mode,
              version,
              state,
            ]),
          );
          for (const text of unread) output.entry({ kind: 'note', text });
          return unread.length > 0 ? EXIT.incomplete : EXIT.ok;
        },
      );
    });
}

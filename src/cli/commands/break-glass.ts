import type { Command } from 'commander';
import { TEXT_LENGTHS } from '../../break-glass/text-lengths.ts';
import type { Cli, GlobalOptions } from '../cli.ts';
import { confirmKey } from '../confirm.ts';
import { EXIT } from '../exit-codes.ts';
import { changing, text } from '../options.ts';

/** `key revoke` and `key restore`: what the app's API does, by the same code, without the app. */
interface BreakGlassArguments {
  vault?: string;
  reason: string;
  ticket?: string;
  revocation?: string;
  yes?: boolean;
  dryRun?: boolean;
}

const AFTER = `
Needs Key Vault and a token for it, and neither the app nor, with the key's
identifier, Azure Resource Manager. AzureWebJobsStorage__accountName names the
app's storage, to have it written into the audit trail. Whoever revoked cannot
restore, unless CMK_DUAL_CONTROL is off.`;

export function addBreakGlassCommands(key: Command, cli: Cli): void {
  const breakGlass = (name: string): Command =>
    changing(key.command(name))
      .argument('<key>', 'name, or identifier https://<vault>.vault.azure.net/keys/<key>')
      .option('--vault <vault>', 'name, ARM id or URI of its vault')
      .option('--reason <text>', 'why; goes into the audit trail', text('--reason', TEXT_LENGTHS.reason), 'not said')
      .option('--ticket <id>', 'incident or change number', text('--ticket', TEXT_LENGTHS.ticket))
      .option('--yes', 'do not ask for the name to be typed; needed where nobody can type')
      .addHelpText('after', AFTER);

  breakGlass('revoke')
    .description('BREAK GLASS: disable every version of a key, which cuts off every account that uses it')
    .action(async (name: string, options: BreakGlassArguments, command: Command) => {
      const globals = command.optsWithGlobals<GlobalOptions>();
      const { appRecord } = await import('../../operations/key/app-record.ts');
      const { previewRevocation, revokeAsOperator } = await import('../../operations/key/key-revoke.ts');
      const { keyByName } = await import('../../operations/resolve.ts');
      const managed = keyByName(name, options.vault, cli.cloud(globals));
      const { reason, ticket } = options;
      const { environment } = cli;
      if (!options.dryRun)
        await confirmKey('revoke', `${managed.vault.name}/${managed.name}`, options.yes ?? false, cli.context.ask);
      await cli.run(
        command,
        (operation) =>
          options.dryRun
            ? previewRevocation(managed, environment, operation)
            : revokeAsOperator(
                managed,
                { reason, ticket, environment, app: appRecord(environment, () => cli.credential(globals)) },
                operation,
              ),
        ({ complete }) => (complete || options.dryRun ? EXIT.ok : EXIT.incomplete),
      );
    });

  breakGlass('restore')
    .description('enable what a revocation disabled, and nothing else; by another person than the one who revoked')
    .requiredOption(
      '--revocation <id>',
      'which one: its id is in the answer to it, and in `cmk key status`',
      text('--revocation', TEXT_LENGTHS.revocation),
    )
    .action(async (name: string, options: BreakGlassArguments, command: Command) => {
      const globals = command.optsWithGlobals<GlobalOptions>();
      const { appRecord } = await import('../../operations/key/app-record.ts');
      const { restoreAsOperator } = await import('../../operations/key/key-restore.ts');
      const { keyByName } = await import('../../operations/resolve.ts');
      const managed = keyByName(name, options.vault, cli.cloud(globals));
      const { reason, ticket } = options;
      if (!options.dryRun)
        await confirmKey('restore', `${managed.vault.name}/${managed.name}`, options.yes ?? false, cli.context.ask);
      const dualControl = cli.environment.CMK_DUAL_CONTROL?.trim().toLowerCase() !== 'off';
      const app = appRecord(cli.environment, () => cli.credential(globals));
      await cli.run(
        command,
        (operation) =>
          restoreAsOperator(
            managed,
            { reason, ticket, revocation: options.revocation ?? '', dualControl, environment: cli.environment, app },
            operation,
          ),
        ({ complete }) => (complete || options.dryRun ? EXIT.ok : EXIT.incomplete),
      );
    });
}

import type { Command } from 'commander';
import { CmkError } from '../../errors.ts';
import { TEXT_LENGTHS } from '../../http/readable.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import type { Cli } from '../cli.ts';
import { type Ask, confirmName } from '../confirm.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { changing, confirmed, inVault, text } from '../options.ts';
import { visibleLines } from '../visible.ts';

/** What revoking and restoring take, of a key and below it. */
export interface BreakGlassArguments {
  reason?: string;
  ticket?: string;
  revocation?: string;
  yes?: boolean;
  dryRun?: boolean;
}

const AFTER = `
Needs Key Vault and a token for it, and neither the app nor, with the key's
identifier, Azure Resource Manager. AzureWebJobsStorage__accountName names the
app's storage, to have it written into the audit trail. The revoker cannot
restore, unless CMK_DUAL_CONTROL is off. Revoking needs a reason; with --yes
the command neither asks nor checks first.`;

interface KeyBreakGlassArguments extends BreakGlassArguments {
  vault?: string;
}

/** `key revoke` and `key restore`: what the app's API does, by the same code, without the app. */
export function addBreakGlassCommands(key: Command, cli: Cli): void {
  const breakGlass = (name: string): Command =>
    confirmed(inVault(changing(key.command(name)), 'its vault'))
      .argument('<key>', 'name, <vault>/<name>, or identifier https://<vault>.vault.azure.net/keys/<key>')
      .addHelpText('after', AFTER);

  addRevoke(breakGlass('revoke'), cli);
  addRestore(breakGlass('restore'), cli);
}

function addRevoke(revoking: Command, cli: Cli): void {
  revoking
    .description('BREAK GLASS: disable every version of a key, which cuts off every account that uses it')
    .action(async (name: string, options: KeyBreakGlassArguments, command: Command) => {
      const { previewRevocation, revokeAsOperator } = await import('../../operations/key/key-revoke.ts');
      const { ticket } = options;
      const { environment } = cli;
      const { ask } = cli.context;
      missesNothing(name, options, ask);
      const managed = await cli.key(name, command);
      const reason = options.dryRun ? '' : await reasonOf(options, ask);
      if (!options.dryRun) {
        const isAsked = !options.yes && ask !== undefined;
        const mind = isAsked ? await radiusOf(managed, cli, command) : '';
        await confirmName('revoke', `${managed.vault.name}/${managed.name}`, options.yes ?? false, ask, mind);
      }
      const app = await cli.appRecord(command);
      await cli.run(
        command,
        (operation) =>
          options.dryRun
            ? previewRevocation(managed, environment, operation)
            : revokeAsOperator(managed, { reason, ticket, environment, app }, operation),
        exitOf(options),
      );
    });
}

/**
 * A single missing option is reported where it is read; several are reported together, so that the operator retries once.
 *
 * @throws {@link CmkError} `ArgumentInvalid`
 */
function missesNothing(key: string, { vault, reason, dryRun }: KeyBreakGlassArguments, ask: Ask): void {
  if (vault !== undefined || key.includes('/') || reason !== undefined || dryRun || ask) return;
  throw new CmkError(
    'ArgumentInvalid',
    'Missing: --vault <vault>, --reason <text>.',
    'cmk key revoke --help shows what there is.',
  );
}

function addRestore(restoring: Command, cli: Cli): void {
  ofRevocation(restoring, 'and in `cmk key show`')
    .description('enable what a revocation disabled, and nothing else; by another person than the one who revoked')
    .action(async (name: string, options: KeyBreakGlassArguments, command: Command) => {
      const { restoreAsOperator } = await import('../../operations/key/key-restore.ts');
      const { readDualControl } = await import('../../settings/settings.ts');
      const managed = await cli.key(name, command);
      const { ticket } = options;
      const reason = options.dryRun ? '' : await reasonOf(options, cli.context.ask);
      if (!options.dryRun)
        await confirmName('restore', `${managed.vault.name}/${managed.name}`, options.yes ?? false, cli.context.ask);
      const dualControl = readDualControl(cli.environment);
      const app = await cli.appRecord(command);
      await cli.run(
        command,
        (operation) =>
          restoreAsOperator(
            managed,
            { reason, ticket, revocation: options.revocation ?? '', dualControl, environment: cli.environment, app },
            operation,
          ),
        exitOf(options),
      );
    });
}

/** Names the revocation that a restore is of. */
function ofRevocation(command: Command, alsoIn: string): Command {
  return command.requiredOption(
    '--revocation <id>',
    `which one: its id is in the answer to it, ${alsoIn}`,
    text('--revocation', TEXT_LENGTHS.revocation),
  );
}

/** Whether all of it was done, or would be. */
export function exitOf({
  dryRun,
}: {
  readonly dryRun?: boolean;
}): (result: { readonly complete: boolean }) => ExitCode {
  return ({ complete }) => (complete || dryRun ? EXIT.ok : EXIT.incomplete);
}

/** The reason, which cannot be found out afterwards. A missing one is asked for, as a failed command would lose time. */
export async function reasonOf({ reason }: { readonly reason?: string | undefined }, ask: Ask): Promise<string> {
  if (reason !== undefined) return reason;
  const answer = ask && (await ask('Why? It goes into the audit trail: '));
  const check = text('--reason', TEXT_LENGTHS.reason);
  if (answer) return check(answer);
  throw new CmkError('ArgumentInvalid', "Required option '--reason <text>' not specified.", 'Say why: --reason <text>');
}

/** Longest wait for the blast radius before the confirmation, in milliseconds. */
const TOLD_WITHIN_MS = 10_000;

/** What a revocation would cut off, shown with the confirmation. Failing to read it stops nothing. */
async function radiusOf(key: ManagedKey, cli: Cli, command: Command): Promise<string> {
  const { blastRadiusOf } = await import('../../operations/key/blast-radius-of.ts');
  const { describeRadius } = await import('../../operations/key/blast-radius-of.ts');
  const { Journal } = await import('../../operations/journal.ts');
  const journal = new Journal();
  const azure = await cli.azure(command);
  const radius = await blastRadiusOf(key, azure, cli.environment, TOLD_WITHIN_MS).catch(() => undefined);
  describeRadius(radius, journal);
  return visibleLines(journal.entries.map((entry) => entry.text).join('\n'));
}

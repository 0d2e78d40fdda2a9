import type { Command } from 'commander';
import { CmkError } from '../../errors.ts';
import { TEXT_LENGTHS } from '../../http/readable.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import type { Where } from '../../operations/resolve.ts';
import type { Cli } from '../cli.ts';
import { type Ask, confirmName } from '../confirm.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { changing, confirmed, inVault, text } from '../options.ts';
import { visibleLines } from '../visible.ts';

/** Options of revoking and restoring a key or an account. */
interface BreakGlassArguments extends Where {
  reason?: string;
  ticket?: string;
  revocation?: string;
  yes?: boolean;
  dryRun?: boolean;
  shared?: boolean;
}

const AFTER = `
Needs only Key Vault and a token for it: not the app, and with the key's
identifier not Azure Resource Manager. AzureWebJobsStorage__accountName names
the app's storage, where the audit trail records the command. The revoker cannot
restore, unless CMK_DUAL_CONTROL is off. Revoking needs a reason; with --yes
the command skips the confirmation and the list of dependents.`;

/** Adds `key revoke` and `key restore`: the same code as in the app's API, without the app. */
export function addBreakGlassCommands(key: Command, cli: Cli): void {
  const { environment } = cli;
  const breakGlass = (name: string): Command =>
    confirmed(inVault(changing(key.command(name)), 'its vault'))
      .argument('<key>', 'name, <vault>/<name>, or identifier https://<vault>.vault.azure.net/keys/<key>')
      .addHelpText('after', AFTER);

  breakGlass('revoke')
    .description('BREAK GLASS: disable every version of a key; every account that uses it loses access')
    .action(async (name: string, options: BreakGlassArguments, command: Command) => {
      const { previewRevocation, revokeAsOperator } = await import('../../operations/key/key-revoke.ts');
      const { ticket } = options;
      const managed = await cli.key(name, command);
      const radius = () => radiusOf(managed, cli, command);
      const reason = await confirmedReason('revoke', `${managed.vault.name}/${managed.name}`, options, cli, radius);
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

  breakGlass('restore')
    .requiredOption(
      '--revocation <id>',
      'id of the revocation, as `cmk revocation list` prints it',
      text('--revocation', TEXT_LENGTHS.revocation),
    )
    .description('enable exactly the versions that a revocation disabled; the revoker cannot run it')
    .action(async (name: string, options: BreakGlassArguments, command: Command) => {
      const { restoreAsOperator } = await import('../../operations/key/key-restore.ts');
      const { readDualControl } = await import('../../settings/settings.ts');
      const managed = await cli.key(name, command);
      const reason = await confirmedReason('restore', `${managed.vault.name}/${managed.name}`, options, cli);
      const { ticket, revocation = '' } = options;
      const dualControl = readDualControl(environment);
      const app = await cli.appRecord(command);
      const asked = { reason, ticket, revocation, dualControl, environment, app };
      await cli.run(command, (operation) => restoreAsOperator(managed, asked, operation), exitOf(options));
    });
}

const ABOUT_ACCOUNTS = `
For an incident of one account, with your own sign-in. It needs the right to
assign roles on the vault, and is not permanent: any principal with that right
can grant access again. It does not support Managed HSMs or vaults with access
policies. The audit trail of the app (AzureWebJobsStorage__accountName) records
the removed roles, and a restore grants exactly these. Both can be repeated.`;

/** Adds `account revoke` and `account restore`. */
export function addAccountBreakGlass(named: (name: string) => Command, cli: Cli): void {
  const breakGlass = (name: string): Command => confirmed(changing(named(name))).addHelpText('after', ABOUT_ACCOUNTS);

  breakGlass('revoke')
    .description("BREAK GLASS: remove the role of one account's identity on its key; the key does not change")
    .option('--shared', 'also revoke the access of other accounts with the same identity')
    .action(async (account: string, _: unknown, command: Command) => {
      const { revokeAccount } = await import('../../operations/account/account-revoke.ts');
      const options = command.optsWithGlobals<BreakGlassArguments>();
      const reason = await confirmedReason('revoke', account, options, cli);
      const { audit } = await cli.appRecord(command);
      const asked = { shared: false, ticket: undefined, ...options, account, reason, audit };
      await cli.run(command, (operation) => revokeAccount(asked, operation), exitOf(options));
    });
  breakGlass('restore')
    .description('grant exactly the roles that `account revoke` removed since the last restore')
    .action(async (account: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<BreakGlassArguments>();
      const reason = await confirmedReason('restore', account, options, cli);
      const { auditContainer, auditFiles } = await import('../../audit/audit-client.ts');
      const { restoreAccount } = await import('../../operations/account/account-restore.ts');
      const { readStorageSettings } = await import('../../settings/settings.ts');
      const credential = () => cli.credential(command);
      const trail = auditFiles(auditContainer(readStorageSettings(cli.environment), credential));
      const { audit } = await cli.appRecord(command);
      const asked = { ticket: undefined, ...options, account, reason, audit, trail };
      await cli.run(command, (operation) => restoreAccount(asked, operation));
    });
}

/** Exit code: `incomplete` if a part failed outside a dry run. */
function exitOf({ dryRun }: BreakGlassArguments): (result: { readonly complete: boolean }) => ExitCode {
  return ({ complete }) => (complete || dryRun ? EXIT.ok : EXIT.incomplete);
}

/**
 * Reads the reason, and confirms the name; a dry run needs neither.
 *
 * @param mind text to show with the question
 */
async function confirmedReason(
  what: string,
  name: string,
  options: BreakGlassArguments,
  { context: { ask } }: Cli,
  mind?: () => Promise<string>,
): Promise<string> {
  if (options.dryRun) return '';
  const reason = await reasonOf(options, ask);
  await confirmName(what, name, options.yes ?? false, ask, mind);
  return reason;
}

/** Returns the reason. Asks for a missing one: a failed command would lose time. */
export async function reasonOf({ reason }: { readonly reason?: string | undefined }, ask: Ask): Promise<string> {
  if (reason !== undefined) return reason;
  const answer = ask && (await ask('Reason (for the audit trail): '));
  const check = text('--reason', TEXT_LENGTHS.reason);
  if (answer) return check(answer);
  throw new CmkError('ArgumentInvalid', 'Missing: --reason <text>.', 'Add the reason: --reason <text>');
}

/** Longest wait for the blast radius before the confirmation, in milliseconds. */
const PREVIEW_MS = 10_000;

/** Reads the blast radius for the confirmation. A failed read does not stop the revocation. */
async function radiusOf(key: ManagedKey, cli: Cli, command: Command): Promise<string> {
  const { blastRadiusOf, describeRadius } = await import('../../operations/key/blast-radius-of.ts');
  const { Journal } = await import('../../operations/journal.ts');
  const journal = new Journal();
  const azure = await cli.azure(command);
  const radius = await blastRadiusOf(key, azure, cli.environment, PREVIEW_MS).catch(() => undefined);
  describeRadius(radius, journal);
  return visibleLines(journal.entries.map((entry) => entry.text).join('\n'));
}

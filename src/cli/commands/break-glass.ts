import { Option } from 'commander';
import type { AuditFiles } from '../../audit/audit-client.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import { hasAppStorage } from '../../settings/own-storage.ts';
import type { Operation } from '../procedures/operator-azure.ts';
import type { Where } from '../procedures/resolve.ts';
import type { Cli } from '../terminal/cli.ts';
import type { CmkCommand } from '../terminal/command.ts';
import { type Ask, confirmName } from '../terminal/confirm.ts';
import { parseTextOf, UsageError } from '../terminal/options.ts';
import type { Output } from '../terminal/output.ts';
import { escapeLines } from '../terminal/visible.ts';

interface BreakGlassOptions extends Where {
  reason?: string;
  ticket?: string;
  revocation?: string;
  path?: 'keys' | 'roles';
  yes?: boolean;
  dryRun?: boolean;
  shared?: boolean;
}

const PATHS = `
--path roles is for a vault that is read-only, as it is while its region is
failed over: it removes the role assignments by which encryption identities
reach the key, at the key and the vault. It needs the right to assign roles on
the vault, records each assignment in the audit trail first, and says what else
loses access. Restore with the same --path: it assigns exactly these again.`;

const AFTER = `
Needs only Key Vault and a token for it: not the app, and with the key's
identifier not Azure Resource Manager. AzureWebJobsStorage__accountName names
the app's storage, where the audit trail records the command. The revoker cannot
restore, unless CMK_DUAL_CONTROL is off. Revoking needs a reason; with --yes
the command skips the confirmation and the list of dependents.`;

/** Adds `key revoke` and `key restore`: the same code as in the app's API, without the app. */
export function addBreakGlassCommands(named: (name: string) => CmkCommand, cli: Cli): void {
  const { environment } = cli;
  const breakGlass = (name: string): CmkCommand =>
    named(name)
      .changing()
      .inVault('its vault')
      .confirmed()
      .addOption(new Option('--path <path>', 'what to change').choices(['keys', 'roles']).default('keys'))
      .addHelpText('after', AFTER)
      .addHelpText('after', PATHS);
  breakGlass('revoke')
    .description('BREAK GLASS: disable every version of a key; every account that uses it loses access')
    .changes(async (operation, options: BreakGlassOptions, name) => {
      if (options.path === 'roles') return revokeByRoles(await cli.key(name), options, cli, operation);

      const { previewRevocation, revokeAsOperator } = await import('../procedures/key/key-break-glass.ts');
      const key = await cli.key(name);
      const reason = await confirmedReason('revoke', nameOf(key), options, cli, () => radiusOf(key, cli));
      if (options.dryRun) return previewRevocation(key, environment, operation);
      const { ticket } = options;
      return revokeAsOperator(key, { reason, ticket, environment, app: await cli.appRecord() }, operation);
    }, showComplete);

  breakGlass('restore')
    .requiredOption(
      '--revocation <id>',
      'id of the revocation, as `cmk revocation list` prints it',
      parseTextOf('revocation'),
    )
    .description('enable exactly the versions that a revocation disabled; the revoker cannot run it')
    .changes(async (operation, options: BreakGlassOptions, name) => {
      if (options.path === 'roles') return restoreByRoles(await cli.key(name), options, cli, operation);

      const { restoreAsOperator } = await import('../procedures/key/key-break-glass.ts');
      const { readDualControl } = await import('../../settings/settings.ts');
      const key = await cli.key(name);
      const reason = await confirmedReason('restore', nameOf(key), options, cli);
      const { ticket, revocation = '' } = options;
      const app = await cli.appRecord();
      const asked = { reason, ticket, revocation, dualControl: readDualControl(environment), environment, app };
      return restoreAsOperator(key, asked, operation);
    }, showComplete);
}

async function revokeByRoles(key: ManagedKey, options: BreakGlassOptions, cli: Cli, operation: Operation) {
  const { planKeyRoles, revokeKeyByRoles } = await import('../procedures/roles/key-roles.ts');
  const { environment } = cli;
  const plan = await planKeyRoles(key, environment, operation);
  const reason = await confirmedReason('revoke', nameOf(key), options, cli, async () => escapeLines(plan.text));
  const trail = hasAppStorage(environment) ? await openTrail(cli) : undefined;
  const { audit } = await cli.appRecord();
  return revokeKeyByRoles(plan, { reason, ticket: options.ticket, trail, audit }, operation);
}

async function restoreByRoles(key: ManagedKey, options: BreakGlassOptions, cli: Cli, operation: Operation) {
  const { restoreKeyByRoles } = await import('../procedures/roles/key-roles.ts');
  const { readDualControl } = await import('../../settings/settings.ts');
  const reason = await confirmedReason('restore', nameOf(key), options, cli);
  const { ticket, revocation = '' } = options;
  const { audit } = await cli.appRecord();
  const dualControl = readDualControl(cli.environment);
  return restoreKeyByRoles(
    key,
    { reason, ticket, revocation, dualControl, trail: await openTrail(cli), audit },
    operation,
  );
}

/** The audit trail, which alone knows what a restore assigns again. */
async function openTrail(cli: Cli): Promise<AuditFiles> {
  const { openAuditContainer, createAuditFiles } = await import('../../audit/audit-client.ts');
  const { readStorageSettings } = await import('../../settings/settings.ts');
  return createAuditFiles(openAuditContainer(readStorageSettings(cli.environment), () => cli.credential()));
}

const ABOUT_ACCOUNTS = `
For an incident of one account, with your own sign-in. It needs the right to
assign roles on the vault, and is not permanent: any principal with that right
can grant access again. It does not support Managed HSMs or vaults with access
policies. The audit trail of the app (AzureWebJobsStorage__accountName) records
the removed roles, and a restore grants exactly these. Both can be repeated.`;

export function addAccountBreakGlass(named: (name: string) => CmkCommand, cli: Cli): void {
  const breakGlass = (name: string): CmkCommand =>
    named(name).changing().confirmed().addHelpText('after', ABOUT_ACCOUNTS);
  breakGlass('revoke')
    .description("BREAK GLASS: remove the role of one account's identity on its key; the key does not change")
    .option('--shared', 'also revoke the access of other resources with the same identity')
    .changes(async (operation, options: BreakGlassOptions, account) => {
      const { revokeAccount } = await import('../procedures/account/account-break-glass.ts');
      const reason = await confirmedReason('revoke', account, options, cli);
      const { audit } = await cli.appRecord();
      return revokeAccount({ shared: false, ticket: undefined, ...options, account, reason, audit }, operation);
    }, showComplete);

  breakGlass('restore')
    .description('grant exactly the roles that `account revoke` removed since the last restore')
    .changes(async (operation, options: BreakGlassOptions, account) => {
      const { restoreAccount } = await import('../procedures/account/account-break-glass.ts');
      const reason = await confirmedReason('restore', account, options, cli);
      const trail = await openTrail(cli);
      const { audit } = await cli.appRecord();
      return restoreAccount({ ticket: undefined, ...options, account, reason, audit, trail }, operation);
    });
}

/** Adds `scope disable` and `scope enable`. Azure itself stores the state. */
export function addScopeCommands(program: CmkCommand): void {
  const scope = program.command('scope').description('encryption scopes: enable, disable');
  const named = (name: string): CmkCommand =>
    scope
      .command(name)
      .changing()
      .argument('<account>', 'name or ARM id of the storage account')
      .argument('<scope>', 'name of the encryption scope')
      .option('-g, --resource-group <group>', 'resource group of the account');

  type State = 'Enabled' | 'Disabled';

  const set =
    (state: State) => async (operation: Operation, options: BreakGlassOptions, account: string, name: string) => {
      const { setScopeState } = await import('../procedures/account/account-break-glass.ts');
      const isSure = state === 'Enabled' || options.yes || options.dryRun || false;
      await confirmName('disable', `${account}/${name}`, isSure, program.cli.context.ask);
      return setScopeState({ ...options, account, scope: name, state }, operation);
    };

  named('disable')
    .confirmed()
    .description('block every request for data of an encryption scope until it is enabled again')
    .changes(set('Disabled'));
  named('enable').description('enable an encryption scope').changes(set('Enabled'));
}

function nameOf({ vault, name }: ManagedKey): string {
  return `${vault.name}/${name}`;
}

function showComplete(
  { complete }: { readonly complete: boolean },
  output: Output,
  { dryRun }: BreakGlassOptions,
): void {
  output.incompleteIf(!complete && !dryRun);
}

/**
 * Reads the reason, and confirms the name; a dry run needs neither.
 *
 * @param mind text to show with the question
 */
async function confirmedReason(
  what: string,
  name: string,
  options: BreakGlassOptions,
  { context: { ask } }: Cli,
  mind?: () => Promise<string>,
): Promise<string> {
  if (options.dryRun) return '';

  const reason = await askForReason(options, ask);

  await confirmName(what, name, options.yes ?? false, ask, mind);

  return reason;
}

/** Returns the reason. Asks for a missing one: a failed command would lose time. */
export async function askForReason({ reason }: { readonly reason?: string | undefined }, ask: Ask): Promise<string> {
  if (reason !== undefined) return reason;
  const answer = ask && (await ask('Reason (for the audit trail): '));
  if (answer) return parseTextOf('reason')(answer);
  throw new UsageError('Missing: --reason <text>.', 'Add the reason: --reason <text>');
}

/** Longest wait for the blast radius before the confirmation, in milliseconds. */
const PREVIEW_MS = 10_000;

/** Reads the blast radius for the confirmation. A failed read does not stop the revocation. */
async function radiusOf(key: ManagedKey, cli: Cli): Promise<string> {
  const { readBlastRadiusAsOperator, describeRadius } = await import('../procedures/key/blast-radius-of.ts');
  const { Journal } = await import('../../audit/journal.ts');
  const journal = new Journal();
  const radius = await readBlastRadiusAsOperator(key, await cli.azure(), cli.environment, PREVIEW_MS).catch(
    () => undefined,
  );
  describeRadius(radius, journal);
  return escapeLines(journal.entries.map((entry) => entry.text).join('\n'));
}

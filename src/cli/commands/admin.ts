import { Argument, Option } from 'commander';
import { CmkError } from '../../errors/errors.ts';
import { formatCount } from '../../formats/text.ts';
import { GUID } from '../../http/auth-config.ts';
import { CRYPTO_OFFICER, ENCRYPTION_USER, getRoleName } from '../../identities/key-roles.ts';
import type { WorkQueueName } from '../../work/messages.ts';
import type { Operation } from '../procedures/operator-azure.ts';
import { createKeyIn, findIdentity, findVault, type Where } from '../procedures/resolve.ts';
import type { CmkCommand } from '../terminal/command.ts';
import { confirmName } from '../terminal/confirm.ts';
import { createNamedOption, toOptionParser, UsageError } from '../terminal/options.ts';
import { escapeText } from '../terminal/visible.ts';
import { STORAGE } from './audit.ts';

export function addAdminCommands(program: CmkCommand): void {
  const admin = program
    .command('admin')
    .description('rare tasks')
    .summary('rare tasks: roles, events, replay of messages, the lock');

  addEnsureIdentity(admin);
  addGrantRole(admin);
  addEvents(admin);
  addReplay(admin.command('replay'));
  addTestNotification(admin.command('test-notification'));
  addLock(admin.command('lock-audit'));
}

function addEnsureIdentity(admin: CmkCommand): void {
  type Options = Where & { location?: string; vault: string; key?: string };

  admin
    .command('ensure-identity')
    .changing()
    .inGroup('to create it in')
    .inVault('the vault with the keys', true)
    .argument('<identity>', 'name or ARM id')
    .description(
      `create a user-assigned identity, and let it use the keys of a vault (${ENCRYPTION_USER.name}; with --hsm ${ENCRYPTION_USER.local.name})`,
    )
    .option('--key <key>', 'this key alone, instead of every key of the vault')
    .changes(async (operation, options: Options, name) => {
      const { ensureIdentity, ensureIdentityRole } = await import('../procedures/identity/identity-ensure.ts');
      const vault = await findVault(options.vault, operation.azure);
      if (options.key !== undefined) createKeyIn(vault, options.key, operation.azure.cloud);
      const ensured = await ensureIdentity({ ...options, name }, operation);
      await ensureIdentityRole(ensured, vault, options.key, operation);
      return ensured;
    });
}

function addGrantRole(admin: CmkCommand): void {
  type Options = { assignee: string; vault: string; key?: string; waitSeconds: number };

  admin
    .command('grant-role')
    .changing()
    .waiting()
    .inVault('the vault of the role assignment', true)
    .description(
      `grant "${CRYPTO_OFFICER.name}" to yourself (--assignee me), or "${ENCRYPTION_USER.name}" to an identity; with --hsm "${CRYPTO_OFFICER.local.name}" and "${ENCRYPTION_USER.local.name}"`,
    )
    .requiredOption('--assignee <who>', 'me; or name, ARM id or principal id of an identity')
    .option('--key <key>', 'this key alone, instead of every key of the vault')
    .changes(async (operation, { assignee, vault: name, key, waitSeconds }: Options) => {
      const { ensureOfficer, ensureRole } = await import('../procedures/identity/identity-ensure.ts');
      const vault = await findVault(name, operation.azure);

      if (assignee === 'me') {
        // Reading a missing key also shows whether the operator may read keys.
        const any = createKeyIn(vault, key ?? 'any', operation.azure.cloud);
        await ensureOfficer(vault, any, waitSeconds, operation);
        return { role: getRoleName(CRYPTO_OFFICER, vault), scope: vault.id };
      }

      const found = GUID.test(assignee)
        ? { principalId: assignee.toLowerCase(), name: assignee }
        : await findIdentity(assignee, operation.azure);
      const { principalId } = found;
      const grantee = { principalId, name: found.name, principalType: 'ServicePrincipal' } as const;

      await ensureRole({ role: ENCRYPTION_USER, grantee, vault, key }, operation);

      return { role: getRoleName(ENCRYPTION_USER, vault), principalId, scope: vault.id };
    });
}

interface Destination {
  functionAppId: string | undefined;
  storageAccountId: string | undefined;
}

function addEvents(admin: CmkCommand): void {
  const { cli } = admin;
  const idOf = (flags: string, what: string, name: keyof Destination, setting: string): Option =>
    createNamedOption(flags, what, name).default(cli.environment[setting], setting);
  const storage = "ARM id of the app's own storage, for dead letters";
  const toApp = (name: string): CmkCommand =>
    admin
      .command(name)
      .changing()
      .addOption(idOf('--function-app <id>', 'ARM id of the app', 'functionAppId', 'CMK_FUNCTION_APP_ID'))
      .addOption(idOf('--storage <id>', storage, 'storageAccountId', 'CMK_STORAGE_ACCOUNT_ID'));

  const load = async () => {
    const { createEventGrid } = await import('../../events/event-grid-client.ts');
    const operations = await import('../procedures/vault/events-ensure.ts');
    return { ...operations, eventGrid: createEventGrid(cli.credential(), cli.cloud()) };
  };

  toApp('ensure-events')
    .description('make Event Grid send the key events of a vault to the app')
    .requiredOption('--vault <vault>', 'name, ARM id or URI of the vault')
    .changes(async (operation, options: Destination & { vault: string }) => {
      const { ensureEvents, eventGrid } = await load();
      return ensureEvents(options, eventGrid, operation);
    });

  toApp('watch-changes')
    .description('make Event Grid send the changes of accounts, roles, vaults and identities to the app')
    .argument('<subscription>', 'id of the subscription', toOptionParser(subscriptionId))
    .option('--client-id <id>', "client id of the app's identity, whose writes are ignored")
    .changes(async (operation, options: Destination & { clientId?: string }, subscription) => {
      const { ensureWatch, eventGrid } = await load();
      return ensureWatch({ clientId: undefined, ...options, subscription }, eventGrid, operation);
    });
}

function subscriptionId(text: string): string {
  if (GUID.test(text)) return text.toLowerCase();
  throw new UsageError(`${text} is not the id of a subscription.`, 'Give its GUID: `az account list`.');
}

/** Not imported: their module loads the message parser, which `--help` does not need. */
const QUEUES = ['key-work', 'fleet-work', 'notify-work'] satisfies readonly WorkQueueName[];

function addReplay(command: CmkCommand): void {
  const { cli } = command;
  const requeue = async (_operation: Operation, _options: unknown, queue: string) =>
    (await import('../terminal/app-storage.ts')).requeuePoisonMessages(cli, queue as WorkQueueName);
  command
    .description("requeue the messages of one of the app's poison queues")
    .addArgument(new Argument('<queue>', 'the original queue').choices(QUEUES))
    .addHelpText('after', `${STORAGE}\nIt needs the role Storage Queue Data Contributor.`)
    .reads(requeue, ({ replayed, left, hidden = 0 }, output) => {
      const [queue] = command.args;
      const from = `${queue}-poison`;
      if (replayed > 0) output.text(`${formatCount(replayed, 'message')} of ${from} requeued to ${queue}.`);
      else if (left.length + hidden === 0) output.text(`${from} is empty.`);

      const shown = left.map((text) => JSON.stringify(text.slice(0, 200)));

      output.problems(shown.map((text) => `Not a message of this app, still in ${from}: ${text}`));

      if (hidden === 0) return;

      const which = `${formatCount(hidden, 'more message')} of ${from} ${hidden === 1 ? 'is' : 'are'} hidden`;
      const why = 'the drift check or another replay has just read the queue';

      output.problems([`${which}: ${why}. Run it again in two minutes.`]);
    });
}

const NOTIFY = `
CMK_NOTIFY holds the same document as the app's setting. The test is sent from
this machine:

  CMK_NOTIFY="$(cat notify.json)" cmk admin test-notification ops`;

function addTestNotification(command: CmkCommand): void {
  const send = async (_operation: Operation, _options: unknown, target: string) => {
    const { randomUUID } = await import('node:crypto');
    const { notifyTest } = await import('../procedures/app/notify-test.ts');
    const { createPostWebhook } = await import('../../notify/webhook-client.ts');
    const ports = { postWebhook: createPostWebhook(), now: () => new Date(), newId: randomUUID };
    return notifyTest(target, command.cli.environment, ports);
  };

  command
    .description('send a test notification to one target of CMK_NOTIFY, and show its answer')
    .argument('<target>', 'name of the target')
    .addHelpText('after', NOTIFY)
    .reads(send, ({ target, status, answer }, output) => {
      const said = answer === '' ? '' : ` Its answer: ${escapeText(answer)}`;
      output.text(`${target} accepted it (HTTP ${status}).${said}`);
    });
}

const LOCK = `
Azure cannot undo a lock. During the retention period no principal can delete a
record or the storage account, and the period can only be extended. The command
needs a role with the right to lock, for example Storage Account Contributor.`;

function addLock(command: CmkCommand): void {
  const { environment, context } = command.cli;
  const known = environment.CMK_STORAGE_ACCOUNT_ID || environment.AzureWebJobsStorage__accountName;
  const account = new Option('--account <account>', "the app's storage account: name or ARM id");
  type Options = Where & { account?: string; yes?: boolean; irrevocable?: boolean };

  const lock = async (operation: Operation, { account, yes = false, irrevocable, ...where }: Options) => {
    if (!account) {
      throw new UsageError('No storage account is named.', "Name the app's storage account with --account.");
    }

    const { lockAuditTrail } = await import('../procedures/app/audit-lock.ts');

    const confirm = async (name: string, days: number): Promise<void> => {
      const mind = `For ${days} days no principal can delete a record of the audit trail in ${name}, or ${name} itself.`;
      await confirmName('permanently lock the audit trail in', name, yes, context.ask, () => mind);
      if (irrevocable) return;
      const answer = await context.ask?.(`Azure cannot undo this. Type the number of days (${days}) to lock it: `);
      if (answer?.trim() === String(days)) return;
      const message = 'The second confirmation did not match; nothing was changed.';
      throw new CmkError('ConfirmationWrong', message, `Type ${days}, or add --irrevocable.`);
    };

    return lockAuditTrail({ ...where, account, confirm }, operation);
  };

  command
    .changing()
    .description('lock the immutability policy of the audit trail permanently')
    .addOption(account.default(known, 'CMK_STORAGE_ACCOUNT_ID, AzureWebJobsStorage__accountName'))
    .confirmed('skip the typed confirmation')
    .option('--irrevocable', 'skip the second confirmation too; without a terminal both options are needed')
    .addHelpText('after', LOCK)
    .changes(lock);
}

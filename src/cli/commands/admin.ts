import { Argument, type Command, Option } from 'commander';
import { CmkError } from '../../errors.ts';
import { GUID } from '../../http/auth-config.ts';
import { CRYPTO_OFFICER, ENCRYPTION_USER, roleNameIn } from '../../identities/key-roles.ts';
import type { Grantee } from '../../operations/identity/role-ensure.ts';
import type { Azure } from '../../operations/operator-azure.ts';
import type { Where } from '../../operations/resolve.ts';
import { count } from '../../text.ts';
import type { WorkQueueName } from '../../work/messages.ts';
import type { Cli } from '../cli.ts';
import { confirmName } from '../confirm.ts';
import { EXIT } from '../exit-codes.ts';
import { changing, inGroup, inVault, NamedOption, parsed, waiting } from '../options.ts';
import { visible } from '../visible.ts';
import { STORAGE } from './audit.ts';

export function addAdminCommands(program: Command, cli: Cli): void {
  const admin = program
    .command('admin')
    .description('rare tasks')
    .summary('rare tasks: roles, events, replay of messages, the lock');
  addEnsureIdentity(admin.command('ensure-identity'), cli);
  addGrantRole(admin.command('grant-role'), cli);
  addEnsureEvents(admin.command('ensure-events'), cli);
  addWatchChanges(admin.command('watch-changes'), cli);
  addReplay(admin.command('replay'), cli);
  addTestNotification(admin.command('test-notification'), cli);
  addLock(admin.command('lock-audit'), cli);
}

function addEnsureIdentity(command: Command, cli: Cli): void {
  inVault(inGroup(changing(command), 'to create it in'), 'the vault with the keys', true)
    .argument('<identity>', 'name or ARM id')
    .description(
      `create a user-assigned identity, and let it use the keys of a vault (${ENCRYPTION_USER.name}; with --hsm ${ENCRYPTION_USER.local.name})`,
    )
    .option('--key <key>', 'this key alone, instead of every key of the vault')
    .action(async (name: string) => {
      const options = command.optsWithGlobals<Where & { location?: string; vault: string; key?: string }>();
      const { ensureIdentity, ensureIdentityRole } = await import('../../operations/identity/identity-ensure.ts');
      const { findVault, keyIn } = await import('../../operations/resolve.ts');
      await cli.run(command, async (operation) => {
        const vault = await findVault(options.vault, operation.azure);
        if (options.key !== undefined) keyIn(vault, options.key, operation.azure.cloud);
        const ensured = await ensureIdentity({ ...options, name }, operation);
        await ensureIdentityRole(ensured, vault, options.key, operation);
        return ensured;
      });
    });
}

function addGrantRole(command: Command, cli: Cli): void {
  inVault(waiting(changing(command)), 'the vault of the role assignment', true)
    .description(
      `grant "${CRYPTO_OFFICER.name}" to yourself (--assignee me), or "${ENCRYPTION_USER.name}" to an identity; with --hsm "${CRYPTO_OFFICER.local.name}" and "${ENCRYPTION_USER.local.name}"`,
    )
    .requiredOption('--assignee <who>', 'me; or name, ARM id or principal id of an identity')
    .option('--key <key>', 'this key alone, instead of every key of the vault')
    .action(async (options: { assignee: string; vault: string; key?: string; waitSeconds: number }) => {
      const { ensureOfficer, ensureRole } = await import('../../operations/identity/role-ensure.ts');
      const { findVault, keyIn } = await import('../../operations/resolve.ts');
      await cli.run(command, async (operation) => {
        const vault = await findVault(options.vault, operation.azure);
        if (options.assignee === 'me') {
          // Reading a missing key also shows whether the operator may read keys.
          const key = keyIn(vault, options.key ?? 'any', operation.azure.cloud);
          await ensureOfficer(vault, key, options.waitSeconds, operation);
          return { role: roleNameIn(CRYPTO_OFFICER, vault), scope: vault.id };
        }
        const grantee = await granteeOf(options.assignee, operation.azure);
        await ensureRole({ role: ENCRYPTION_USER, grantee, vault, key: options.key }, operation);
        return { role: roleNameIn(ENCRYPTION_USER, vault), principalId: grantee.principalId, scope: vault.id };
      });
    });
}

async function granteeOf(who: string, azure: Azure): Promise<Grantee> {
  const principal = { principalType: 'ServicePrincipal' } as const;
  if (GUID.test(who)) return { principalId: who.toLowerCase(), name: who, ...principal };
  const { findIdentity } = await import('../../operations/resolve.ts');
  const { principalId, name } = await findIdentity(who, azure);
  return { principalId, name, ...principal };
}

function addEnsureEvents(command: Command, cli: Cli): void {
  toApp(command, cli)
    .description('make Event Grid send the key events of a vault to the app')
    .requiredOption('--vault <vault>', 'name, ARM id or URI of the vault')
    .action(async (options: DestinationArguments & { vault: string }) => {
      const { ensureEvents } = await import('../../operations/vault/events-ensure.ts');
      const eventGrid = await eventGridOf(command, cli);
      await cli.run(command, (operation) => ensureEvents(options, eventGrid, operation));
    });
}

function addWatchChanges(command: Command, cli: Cli): void {
  toApp(command, cli)
    .description('make Event Grid send the changes of accounts, roles, vaults and identities to the app')
    .argument('<subscription>', 'id of the subscription', parsed(subscriptionId))
    .option('--client-id <id>', "client id of the app's identity, whose writes are ignored")
    .action(async (subscription: string, options: DestinationArguments & { clientId?: string }) => {
      const { ensureWatch } = await import('../../operations/vault/events-ensure.ts');
      const eventGrid = await eventGridOf(command, cli);
      const asked = { clientId: undefined, ...options, subscription };
      await cli.run(command, (operation) => ensureWatch(asked, eventGrid, operation));
    });
}

interface DestinationArguments {
  functionAppId: string | undefined;
  storageAccountId: string | undefined;
}

function toApp(command: Command, { environment }: Cli): Command {
  const idOf = (flags: string, what: string, name: keyof DestinationArguments, setting: string): Option =>
    new NamedOption(flags, what, name).default(environment?.[setting], setting);
  const storage = "ARM id of the app's own storage, for dead letters";
  return changing(command)
    .addOption(idOf('--function-app <id>', 'ARM id of the app', 'functionAppId', 'CMK_FUNCTION_APP_ID'))
    .addOption(idOf('--storage <id>', storage, 'storageAccountId', 'CMK_STORAGE_ACCOUNT_ID'));
}

async function eventGridOf(command: Command, cli: Cli) {
  const { createEventGrid } = await import('../../events/event-grid-client.ts');
  return createEventGrid(cli.credential(command), cli.cloud(command));
}

/** @throws {@link CmkError} `ArgumentInvalid` */
function subscriptionId(text: string): string {
  if (GUID.test(text)) return text.toLowerCase();
  throw new CmkError(
    'ArgumentInvalid',
    `${text} is not the id of a subscription.`,
    'Give its GUID: `az account list`.',
  );
}

/** Not imported: their module loads the message parser, which `--help` does not need. */
const QUEUES = ['key-work', 'fleet-work', 'notify-work'] satisfies readonly WorkQueueName[];

function addReplay(command: Command, cli: Cli): void {
  command
    .description("requeue the messages of one of the app's poison queues")
    .addArgument(new Argument('<queue>', 'the original queue').choices(QUEUES))
    .addHelpText('after', `${STORAGE}\nIt needs the role Storage Queue Data Contributor.`)
    .action(async (queue: WorkQueueName) => {
      const { workQueues } = await import('../../azure/app-storage.ts');
      const { readStorageSettings } = await import('../../settings/settings.ts');
      const { replay } = await import('../../work/replay-client.ts');
      const { inAppStorage } = await import('../app-storage-failures.ts');
      const from = `${queue}-poison`;
      const requeue = () => {
        const work = workQueues(readStorageSettings(cli.environment), () => cli.credential(command));
        const place = { what: `queue ${from}`, url: work.url, role: 'Storage Queue Data Contributor' };
        return inAppStorage(place, () => replay(work, queue));
      };
      await cli.read(command, requeue, ({ replayed, left, hidden = 0 }, output) => {
        if (replayed > 0) output.text(`${count(replayed, 'message')} of ${from} requeued to ${queue}.`);
        else if (left.length + hidden === 0) output.text(`${from} is empty.`);
        for (const text of left) {
          output.note(`Not a message of this app, still in ${from}: ${JSON.stringify(text.slice(0, 200))}`);
        }
        if (hidden > 0) {
          const which = `${count(hidden, 'more message')} of ${from} ${hidden === 1 ? 'is' : 'are'} hidden`;
          const why = 'the drift check or another replay has just read the queue';
          output.note(`${which}: ${why}. Run it again in two minutes.`);
        }
        return left.length + hidden === 0 ? EXIT.ok : EXIT.incomplete;
      });
    });
}

function addTestNotification(command: Command, cli: Cli): void {
  command
    .description('send a test notification to one target of CMK_NOTIFY, and show its answer')
    .argument('<target>', 'name of the target')
    .addHelpText(
      'after',
      `
CMK_NOTIFY holds the same document as the app's setting. The test is sent from
this machine:

  CMK_NOTIFY="$(cat notify.json)" cmk admin test-notification ops`,
    )
    .action(async (target: string) => {
      const { randomUUID } = await import('node:crypto');
      const { notifyTest } = await import('../../operations/notify-test.ts');
      const { createPostWebhook } = await import('../../notify/webhook-client.ts');
      const ports = { postWebhook: createPostWebhook(), now: () => new Date(), newId: randomUUID };
      await cli.read(
        command,
        () => notifyTest(target, cli.environment, ports),
        ({ status, answer }, output) => {
          const said = answer === '' ? '' : ` Its answer: ${visible(answer)}`;
          output.text(`${target} accepted it (HTTP ${status}).${said}`);
          return EXIT.ok;
        },
      );
    });
}

function addLock(command: Command, cli: Cli): void {
  const known = cli.environment?.CMK_STORAGE_ACCOUNT_ID || cli.environment?.AzureWebJobsStorage__accountName;
  const account = new Option('--account <account>', "the app's storage account: name or ARM id");
  changing(command)
    .description('lock the immutability policy of the audit trail permanently')
    .addOption(account.default(known, 'CMK_STORAGE_ACCOUNT_ID, AzureWebJobsStorage__accountName'))
    .option('--yes', 'skip the typed confirmation')
    .option('--irrevocable', 'skip the second confirmation too; without a terminal both options are needed')
    .addHelpText(
      'after',
      `
Azure cannot undo a lock. During the retention period no principal can delete a
record or the storage account, and the period can only be extended. The command
needs a role with the right to lock, for example Storage Account Contributor.`,
    )
    .action(async () => {
      const options = command.optsWithGlobals<Where & { account?: string; yes?: boolean; irrevocable?: boolean }>();
      const { account, yes = false, irrevocable = false } = options;
      const { ask } = cli.context;
      if (!account) {
        throw new CmkError(
          'ArgumentInvalid',
          'No storage account is named.',
          "Name the app's storage account with --account.",
        );
      }
      const { lockAudit } = await import('../../operations/audit-lock.ts');
      const confirm = async (name: string, days: number): Promise<void> => {
        const mind = `For ${days} days no principal can delete a record of the audit trail in ${name}, or ${name} itself.`;
        await confirmName('permanently lock the audit trail in', name, yes, ask, () => mind);
        if (irrevocable) return;
        const answer = await ask?.(`Azure cannot undo this. Type the number of days (${days}) to lock it: `);
        if (answer?.trim() === String(days)) return;
        throw new CmkError(
          'ConfirmationWrong',
          'The second confirmation did not match; nothing was changed.',
          `Type ${days}, or add --irrevocable.`,
        );
      };
      await cli.run(command, (operation) => lockAudit({ ...options, account, confirm }, operation));
    });
}

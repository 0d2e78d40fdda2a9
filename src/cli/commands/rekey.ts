import type { Command } from 'commander';
import { nameOfIdentifier } from '../../keys/key-identifier.ts';
import type { AppApi } from '../../operations/app-api.ts';
import type { Operation } from '../../operations/operator-azure.ts';
import type { RekeyStatus } from '../../rekey/rekey-status.ts';
import { count } from '../../text.ts';
import { appByStorage, appOrItsStorage, BY_APP_OR_STORAGE } from '../app-of-environment.ts';
import type { Cli } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';
import { changing, oneTo, watching } from '../options.ts';
import type { Output } from '../output.ts';
import { reasonOf } from './break-glass.ts';

// A re-key is an order in the app's own storage, which the app carries out.

const STORAGE = `
The order is written into the app's storage, found as the app finds it:
AzureWebJobsStorage__accountName with your own sign-in, or AzureWebJobsStorage,
a connection string; with CMK_VAULTS. It takes the roles Storage Table Data
Contributor, Storage Queue Data Contributor and, for the audit trail, Storage
Blob Data Contributor.`;

interface StartArguments {
  readonly reason?: string;
  readonly ticket?: string;
  readonly dryRun?: boolean;
  readonly maxFailures: number;
  readonly grant?: boolean;
}

interface ChangeArguments {
  readonly reason?: string;
  readonly dryRun?: boolean;
  readonly keep?: boolean;
}

export function addRekeyCommands(program: Command, cli: Cli): void {
  const rekey = program
    .command('rekey')
    .description('move everything that uses one key to another')
    .summary('moves to another key: list, show, start, pause, resume, cancel');
  addStart(rekey, cli);
  const reading = (command: Command, description: string): void => {
    watching(command)
      .description(description)
      .addHelpText('after', BY_APP_OR_STORAGE)
      .action(async () => {
        const [id] = command.args;
        const app = await appOrItsStorage(cli, command);
        await cli.look(
          command,
          () => readRekeys(id, app),
          (all, output) => {
            if (id === undefined) showAll(all, output);
            else for (const one of all) show(one, output);
            return all.some(({ progress }) => progress.failed > 0) ? EXIT.incomplete : EXIT.ok;
          },
        );
      });
  };
  reading(rekey.command('list'), 'every re-key, the newest first, and how far it is');
  reading(
    rekey.command('show').argument('<id>', 'its id, as `cmk rekey list` has it'),
    'one re-key: how far it is, what failed and why, and what is left to do',
  );
  addChange(rekey, cli, 'pause', 'let nothing move until it is resumed');
  addChange(rekey, cli, 'resume', 'go on, and try again what failed');
  addChange(rekey, cli, 'cancel', 'take it back: what has moved goes back to the old key').option(
    '--keep',
    'end it, and move nothing back',
  );
}

/** The re-key of that id; without one, all that there were. */
async function readRekeys(id: string | undefined, app: AppApi): Promise<readonly RekeyStatus[]> {
  const { REKEY_LIST } = await import('../../api/rekeys.ts');
  const { REKEY_STATUS } = await import('../../rekey/rekey-status.ts');
  const ids = id === undefined ? (await app.get('/rekeys', REKEY_LIST)).value.map((order) => order.id) : [id];
  const all: RekeyStatus[] = [];
  for (const one of ids) all.push(await app.get(pathOf(one), REKEY_STATUS));
  return all;
}

function pathOf(id: string): string {
  return `/rekeys/${encodeURIComponent(id)}`;
}

function addStart(rekey: Command, cli: Cli): void {
  changing(rekey.command('start'))
    .description('check, and start to move everything from one key to another')
    .argument('<from>', 'the key that everything moves off: <vault>/<key>')
    .argument('<to>', 'the key that everything moves to: <vault>/<key>')
    .option('--max-failures <number>', 'with so many accounts failed it stops', oneTo(1_000), 3)
    .option('--grant', 'give the identities that lack it their role on the new key')
    .addHelpText('after', STORAGE)
    .action(async (from: string, to: string, options: StartArguments, command: Command) => {
      const { REKEY_STARTED } = await import('../../api/rekeys.ts');
      const { REKEY_CHECK } = await import('../../rekey/rekey-problems.ts');
      const reason = options.dryRun ? 'Only checked' : await reasonOf(options, cli.context.ask);
      const { ticket, maxFailures, grant = false } = options;
      const app = await appByStorage(cli, command);
      const request = { from, to, reason, ticket, maxFailures };
      const checking = () => app.send('POST', '/rekeys?dryRun=true', request, REKEY_CHECK);
      await cli.run(
        command,
        async (operation) => {
          const { journal } = operation;
          let check = await checking();
          if (grant && check.withoutRole.length > 0) {
            await grantRoles(check.withoutRole, to, operation);
            if (!journal.dryRun) check = await checking();
          }
          for (const { detail, fix } of check.problems) journal.note(`${detail} ${fix}`);
          for (const warning of check.warnings) journal.note(warning);
          if (check.problems.length > 0) return { check, order: undefined };
          const text = `${count(check.accounts, 'account')} to move from ${from} to ${to}`;
          const change = { text, action: 'key.rekey', resource: from, from, to } as const;
          if (journal.dryRun) {
            journal.planned(change);
            return { check, order: undefined };
          }
          const { order } = await app.send('POST', '/rekeys', request, REKEY_STARTED);
          // The app has written it into the audit trail.
          journal.done({ ...change, resource: order.from, from: order.from, to: order.to });
          return { check, order };
        },
        ({ check, order }, output) => {
          if (order) output.text(`Started as ${order.id}. Its progress: cmk rekey show ${order.id}`);
          return check.problems.length === 0 ? EXIT.ok : EXIT.refused;
        },
      );
    });
}

/** Roles are given here, where a person asks for it, and never by the app. */
async function grantRoles(principals: readonly string[], to: string, operation: Operation): Promise<void> {
  const { ensureRole } = await import('../../operations/identity/role-ensure.ts');
  const { findVault } = await import('../../operations/resolve.ts');
  const { ENCRYPTION_USER } = await import('../../identities/key-roles.ts');
  const [vaultName = '', key] = to.split('/');
  const vault = await findVault(vaultName, operation.azure);
  for (const principalId of principals) {
    const grantee = { principalId, principalType: 'ServicePrincipal', name: principalId } as const;
    await ensureRole(ENCRYPTION_USER, grantee, vault, key, operation);
  }
}

function addChange(rekey: Command, cli: Cli, act: 'pause' | 'resume' | 'cancel', description: string): Command {
  return changing(rekey.command(act))
    .description(description)
    .argument('<id>', 'id of the re-key, as `cmk rekey list` has it')
    .addHelpText('after', STORAGE)
    .action(async (id: string, options: ChangeArguments, command: Command) => {
      const { REKEY_STATUS } = await import('../../rekey/rekey-status.ts');
      const reason = options.dryRun ? '' : await reasonOf(options, cli.context.ask);
      const app = await appByStorage(cli, command);
      const query = new URLSearchParams({ reason, keep: String(options.keep ?? false) });
      await cli.run(
        command,
        async ({ journal }) => {
          const before = await app.get(pathOf(id), REKEY_STATUS);
          const done = options.keep ? 'ended as it is' : DONE[act];
          const change = { text: `re-key ${id}: ${done}`, action: 'key.rekey', resource: before.order.from } as const;
          if (journal.dryRun) {
            journal.planned(change);
            return before;
          }
          const after =
            act === 'cancel'
              ? await app.send('DELETE', `${pathOf(id)}?${query}`, undefined, REKEY_STATUS)
              : await app.send('POST', `${pathOf(id)}/${act}`, { reason }, REKEY_STATUS);
          // The app has written it into the audit trail.
          journal.done(change);
          return after;
        },
        (status, output) => {
          show(status, output);
          return EXIT.ok;
        },
      );
    });
}

const DONE = { pause: 'paused', resume: 'resumed', cancel: 'taken back' } as const;

function showAll(all: readonly RekeyStatus[], output: Output): void {
  if (all.length === 0) output.text('There was no re-key yet.');
  output.list<RekeyStatus>(
    [
      ['ID', ({ order }) => order.id],
      ['FROM', ({ order }) => nameOfIdentifier(order.from) ?? order.from],
      ['TO', ({ order }) => nameOfIdentifier(order.to) ?? order.to],
      ['STATE', ({ order: { state, paused } }) => (paused ? `${state}, paused` : state)],
      ['MOVED', ({ progress }) => progress.moved],
      ['WAITING', ({ progress }) => progress.waiting],
      ['FAILED', ({ progress }) => progress.failed],
      ['LEFT', ({ progress }) => progress.left],
    ],
    all,
  );
  const toDo = all.flatMap(({ order: { id }, progress }) => (progress.toDo.length > 0 ? [id] : []));
  for (const id of toDo) output.note(`There is something left to do: cmk rekey show ${id}`);
}

function show({ order, progress }: RekeyStatus, output: Output): void {
  const { id, from, to, state, paused } = order;
  output.text(`${id}: ${from} to ${to}, ${state}${paused ? `, paused (${paused.why})` : ''}`);
  const { moved, waiting, failed, left, incomplete } = progress;
  output.text(`  moved ${moved}, waiting ${waiting}, failed ${failed}, put elsewhere or deleted ${left}`);
  if (incomplete) output.note('The fleet index cannot be read: more may be waiting.');
  output.table(
    ['ACCOUNT', 'SCOPE', 'REASON', 'DETAIL'],
    progress.failures.map(({ account, scope, reason, detail }) => [account.split('/').at(-1), scope, reason, detail]),
  );
  for (const todo of progress.toDo) output.note(todo);
}

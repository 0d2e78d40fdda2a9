import type { Command } from 'commander';
import { nameOfIdentifier } from '../../keys/key-identifier.ts';
import type { AppOrders } from '../../operations/app-storage.ts';
import type { RekeyAct } from '../../orders/order-rekey.ts';
import type { RekeyStatus } from '../../rekey/rekey-status.ts';
import type { Cli } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';
import { changing, oneTo, watching } from '../options.ts';
import type { Output } from '../output.ts';
import { reasonOf } from './break-glass.ts';

// A re-key is an order in the app's own storage, which the app carries out.

const STORAGE = `
The order is written into the app's storage, found as the app finds it:
AzureWebJobsStorage__accountName with your own sign-in, or AzureWebJobsStorage,
a connection string. It takes the roles Storage Table Data Contributor, Storage
Queue Data Contributor and, for the audit trail, Storage Blob Data Contributor.`;

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
      .addHelpText('after', STORAGE)
      .action(async () => {
        const { rekeyStatuses } = await import('../../operations/rekey-control.ts');
        const [id] = command.args;
        const app = await appOf(cli, command);
        await cli.look(
          command,
          () => inStorage(app, () => rekeyStatuses(id, app)),
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
  addChange(rekey, cli, 'pause', 'let nothing move until it is resumed', () => 'pause');
  addChange(rekey, cli, 'resume', 'go on, and try again what failed', () => 'resume');
  addChange(rekey, cli, 'cancel', 'take it back: what has moved goes back to the old key', ({ keep }) =>
    keep ? 'end' : 'rollBack',
  ).option('--keep', 'end it, and move nothing back');
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
      const { startRekeyAsOperator } = await import('../../operations/rekey-control.ts');
      const reason = options.dryRun ? '' : await reasonOf(options, cli.context.ask);
      const app = await appOf(cli, command);
      const { ticket, maxFailures, grant = false } = options;
      const managed = cli.environment.CMK_VAULTS?.split(/[\s,;]+/).filter(Boolean) ?? [];
      const start = { from, to, reason, ticket, maxFailures, grant, managed, app };
      await cli.run(
        command,
        (operation) => inStorage(app, () => startRekeyAsOperator(start, operation)),
        ({ check, order }, output) => {
          if (order) output.text(`Started as ${order.id}. Its progress: cmk rekey show ${order.id}`);
          return check.problems.length === 0 ? EXIT.ok : EXIT.refused;
        },
      );
    });
}

function addChange(
  rekey: Command,
  cli: Cli,
  name: string,
  description: string,
  what: (options: { readonly keep?: boolean }) => RekeyAct,
): Command {
  return changing(rekey.command(name))
    .description(description)
    .argument('<id>', 'id of the re-key, as `cmk rekey list` has it')
    .addHelpText('after', STORAGE)
    .action(async (id: string, options: ChangeArguments, command: Command) => {
      const { changeRekeyAsOperator } = await import('../../operations/rekey-control.ts');
      const why = options.dryRun ? '' : await reasonOf(options, cli.context.ask);
      const app = await appOf(cli, command);
      const change = { id, act: what(options), why };
      await cli.run(
        command,
        (operation) => inStorage(app, () => changeRekeyAsOperator(change, app, operation)),
        (status, output) => {
          show(status, output);
          return EXIT.ok;
        },
      );
    });
}

async function appOf(cli: Cli, command: Command): Promise<AppOrders> {
  const { appOrders } = await import('../../operations/app-storage.ts');
  return appOrders(cli.environment, await cli.azure(command), () => cli.credential(command));
}

async function inStorage<T>({ url }: AppOrders, run: () => Promise<T>): Promise<T> {
  const { inAppStorage } = await import('../app-storage-failures.ts');
  return inAppStorage({ what: 'table of re-keys', url, role: 'Storage Table Data Contributor' }, run);
}

function showAll(all: readonly RekeyStatus[], output: Output): void {
  if (all.length === 0) output.text('There was no re-key yet.');
  output.table(
    ['ID', 'FROM', 'TO', 'STATE', 'MOVED', 'WAITING', 'FAILED', 'LEFT'],
    all.map(({ order: { id, from, to, state, paused }, progress: { moved, waiting, failed, left } }) => [
      id,
      nameOfIdentifier(from) ?? from,
      nameOfIdentifier(to) ?? to,
      paused ? `${state}, paused` : state,
      ...[moved, waiting, failed, left].map(String),
    ]),
    all,
  );
  const toDo = all.flatMap(({ order: { id }, progress }) => (progress.toDo.length > 0 ? [id] : []));
  for (const id of toDo) output.entry({ kind: 'note', text: `There is something left to do: cmk rekey show ${id}` });
}

function show({ order, progress }: RekeyStatus, output: Output): void {
  const { id, from, to, state, paused } = order;
  output.text(`${id}: ${from} to ${to}, ${state}${paused ? `, paused (${paused.why})` : ''}`);
  const { moved, waiting, failed, left, incomplete } = progress;
  output.text(`  moved ${moved}, waiting ${waiting}, failed ${failed}, put elsewhere or deleted ${left}`);
  if (incomplete) output.entry({ kind: 'note', text: 'The fleet index cannot be read: more may be waiting.' });
  output.table(
    ['ACCOUNT', 'SCOPE', 'REASON', 'DETAIL'],
    progress.failures.map(({ account, scope, reason, detail }) => [account.split('/').at(-1), scope, reason, detail]),
  );
  for (const todo of progress.toDo) output.entry({ kind: 'note', text: todo });
}

import type { Command } from 'commander';
import { lastName } from '../../azure/resource-id.ts';
import { nameOfIdentifier } from '../../keys/key-identifier.ts';
import type { AppApi } from '../../operations/app-api.ts';
import type { Operation } from '../../operations/operator-azure.ts';
import type { RekeyStatus } from '../../rekey/rekey-status.ts';
import { count } from '../../text.ts';
import { appByStorage, IN_STORAGE, reading } from '../app-of-environment.ts';
import type { Cli } from '../cli.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { changing, oneTo } from '../options.ts';
import type { Output } from '../output.ts';
import { reasonOf } from './break-glass.ts';

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
    .description('move all accounts and scopes from one key to another')
    .summary('moves to another key: list, show, start, pause, resume, cancel');
  addStart(rekey, cli);
  const list = rekey.command('list').description('every re-key and its progress, newest first');
  const readAll = async (app: AppApi): Promise<RekeyStatus[]> => {
    const { REKEY_LIST } = await import('../../api/rekeys.ts');
    const all: RekeyStatus[] = [];
    for (const { id } of (await app.get('/rekeys', REKEY_LIST)).value) all.push(await readOne(id, app));
    return all;
  };
  reading(list, cli, readAll, showAll);
  const one = rekey
    .command('show')
    .argument('<id>', 'its id, as `cmk rekey list` prints it')
    .description('one re-key: progress, failures with reasons, and remaining steps');
  reading(one, cli, (app) => readOne(one.args[0] ?? '', app), show);
  addChange(rekey, cli, 'pause', 'stop moves until it is resumed');
  addChange(rekey, cli, 'resume', 'continue, and retry failed accounts');
  addChange(rekey, cli, 'cancel', 'roll back: move all accounts and scopes back to the old key').option(
    '--keep',
    'end it without moving accounts back',
  );
}

async function readOne(id: string, app: AppApi): Promise<RekeyStatus> {
  const { REKEY_STATUS } = await import('../../rekey/rekey-status.ts');
  return app.get(pathOf(id), REKEY_STATUS);
}

function pathOf(id: string): string {
  return `/rekeys/${encodeURIComponent(id)}`;
}

function addStart(rekey: Command, cli: Cli): void {
  changing(rekey.command('start'))
    .description('check, and start to move all accounts and scopes from one key to another')
    .argument('<from>', 'the source key: <vault>/<key>')
    .argument('<to>', 'the target key: <vault>/<key>')
    .option('--max-failures <number>', 'stop after this many failed accounts', oneTo(1_000), 3)
    .option('--grant', 'grant identities their missing role on the target key')
    .addHelpText('after', IN_STORAGE)
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
          // The app has already recorded it in the audit trail.
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

/** The command assigns roles at the operator's request; the app never does. */
async function grantRoles(principals: readonly string[], to: string, operation: Operation): Promise<void> {
  const { ensureRole } = await import('../../operations/identity/role-ensure.ts');
  const { findVault } = await import('../../operations/resolve.ts');
  const { ENCRYPTION_USER } = await import('../../identities/key-roles.ts');
  const [vaultName = '', key] = to.split('/');
  const vault = await findVault(vaultName, operation.azure);
  for (const principalId of principals) {
    const grantee = { principalId, principalType: 'ServicePrincipal', name: principalId } as const;
    await ensureRole({ role: ENCRYPTION_USER, grantee, vault, key }, operation);
  }
}

function addChange(rekey: Command, cli: Cli, act: 'pause' | 'resume' | 'cancel', description: string): Command {
  return changing(rekey.command(act))
    .description(description)
    .argument('<id>', 'id of the re-key, as `cmk rekey list` prints it')
    .addHelpText('after', IN_STORAGE)
    .action(async (id: string, options: ChangeArguments, command: Command) => {
      const { REKEY_STATUS } = await import('../../rekey/rekey-status.ts');
      const reason = options.dryRun ? '' : await reasonOf(options, cli.context.ask);
      const app = await appByStorage(cli, command);
      const query = new URLSearchParams({ reason, keep: String(options.keep ?? false) });
      await cli.run(
        command,
        async ({ journal }) => {
          const before = await readOne(id, app);
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
          // The app has already recorded it in the audit trail.
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

const DONE = { pause: 'paused', resume: 'resumed', cancel: 'rolled back' } as const;

function showAll(all: readonly RekeyStatus[], output: Output): ExitCode {
  if (all.length === 0) output.text('No re-key has been started.');
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
  for (const { order, progress } of all) {
    if (progress.toDo.length > 0) output.note(`Some steps remain: cmk rekey show ${order.id}`);
  }
  return all.some(({ progress }) => progress.failed > 0) ? EXIT.incomplete : EXIT.ok;
}

function show({ order, progress }: RekeyStatus, output: Output): ExitCode {
  const { id, from, to, state, paused } = order;
  output.text(`${id}: ${from} to ${to}, ${state}${paused ? `, paused (${paused.why})` : ''}`);
  const { moved, waiting, failed, left, incomplete } = progress;
  output.text(`  moved ${moved}, waiting ${waiting}, failed ${failed}, moved by other writers or deleted ${left}`);
  if (incomplete) output.note('The fleet index cannot be read: more accounts may be waiting.');
  output.list<RekeyStatus['progress']['failures'][number]>(
    [['ACCOUNT', ({ account }) => lastName(account)], 'scope', 'reason', 'detail'],
    progress.failures,
  );
  for (const todo of progress.toDo) output.note(todo);
  return failed > 0 ? EXIT.incomplete : EXIT.ok;
}

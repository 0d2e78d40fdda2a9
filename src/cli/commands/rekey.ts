import { getLastName } from '../../azure/resource-id.ts';
import { formatCount } from '../../formats/text.ts';
import { formatIdentifier } from '../../keys/key-identifier.ts';
import type { RekeyStatus } from '../../status/rekey.ts';
import type { AppApi } from '../procedures/app-api.ts';
import type { Operation } from '../procedures/operator-azure.ts';
import { findVault } from '../procedures/resolve.ts';
import type { Cli } from '../terminal/cli.ts';
import type { CmkCommand } from '../terminal/command.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { parseUpTo } from '../terminal/options.ts';
import type { Output } from '../terminal/output.ts';
import { askForReason } from './break-glass.ts';

interface OrderOptions {
  readonly reason?: string;
  readonly ticket?: string;
  readonly dryRun?: boolean;
}

export function addRekeyCommands(program: CmkCommand): void {
  const rekey = program
    .command('rekey')
    .description('move all accounts and scopes from one key to another')
    .summary('moves to another key: list, show, start, pause, resume, cancel');

  addStart(rekey);

  rekey
    .command('list')
    .description('every re-key and its progress, newest first')
    .readsApp(async ({ app }) => {
      const { REKEY_LIST } = await import('../../api/rekeys.ts');
      const all: RekeyStatus[] = [];
      for (const { id } of (await app.get('/rekeys', REKEY_LIST)).value) all.push(await readOne(id, app));
      return all;
    }, showAll);

  rekey
    .command('show')
    .argument('<id>', 'its id, as `cmk rekey list` prints it')
    .description('one re-key: progress, failures with reasons, and remaining steps')
    .readsApp(({ app }, _, id) => readOne(id, app), show);

  addChange(rekey, 'pause', 'stop moves until it is resumed');
  addChange(rekey, 'resume', 'continue, and retry failed accounts');
  addChange(rekey, 'cancel', 'roll back: move all accounts and scopes back to the old key');
}

async function readOne(id: string, app: AppApi): Promise<RekeyStatus> {
  const { REKEY_STATUS } = await import('../../status/rekey.ts');
  return app.get(pathOf(id), REKEY_STATUS);
}

function pathOf(id: string): string {
  return `/rekeys/${encodeURIComponent(id)}`;
}

/** Opens the app's storage for an order, and asks for a missing reason; a dry run needs none. */
async function prepareOrder(options: OrderOptions, cli: Cli) {
  const reason = options.dryRun ? 'Only checked' : await askForReason(options, cli.context.ask);
  const { createAppByStorage } = await import('../terminal/app-of-environment.ts');
  return { reason, app: await createAppByStorage(cli) };
}

function addStart(rekey: CmkCommand): void {
  type Options = OrderOptions & { readonly maxFailures: number; readonly grant?: boolean };

  const start = async (operation: Operation, options: Options, from: string, to: string) => {
    const { REKEY_STARTED } = await import('../../api/rekeys.ts');
    const { REKEY_CHECK } = await import('../../controller/rekey-problems.ts');
    const { reason, app } = await prepareOrder(options, rekey.cli);
    const { ticket, maxFailures, grant = false } = options;
    const { journal } = operation;
    const request = { from, to, reason, ticket, maxFailures };
    const checking = () => app.send('POST', '/rekeys?dryRun=true', request, REKEY_CHECK);
    let check = await checking();
    if (grant && check.withoutRole.length > 0) {
      await grantRoles(check.withoutRole, to, operation);
      if (!journal.dryRun) check = await checking();
    }

    for (const { detail, fix } of check.problems) journal.note(`${detail} ${fix}`);
    for (const warning of check.warnings) journal.note(warning);

    if (check.problems.length > 0) return { check, order: undefined };

    const text = `${formatCount(check.accounts, 'account')} to move from ${from} to ${to}`;
    const change = { text, action: 'key.rekey', resource: from, from, to } as const;

    if (journal.dryRun) {
      journal.planned(change);
      return { check, order: undefined };
    }

    const { order } = await app.send('POST', '/rekeys', request, REKEY_STARTED);

    // The app has already recorded it in the audit trail.
    journal.done({ ...change, resource: order.from, from: order.from, to: order.to });

    return { check, order };
  };

  rekey
    .command('start')
    .changing()
    .description('check, and start to move all accounts and scopes from one key to another')
    .argument('<from>', 'the source key: <vault>/<key>')
    .argument('<to>', 'the target key: <vault>/<key>')
    .option('--max-failures <number>', 'stop after this many failed accounts', parseUpTo(1_000), 3)
    .option('--grant', 'grant identities their missing role on the target key')
    .inStorage()
    .changes(start, ({ check, order }, output) => {
      if (order) output.text(`Started as ${order.id}. Its progress: cmk rekey show ${order.id}`);
      if (check.problems.length > 0) output.exitCode = EXIT.refused;
    });
}

/** The command assigns roles at the operator's request; the app never does. */
async function grantRoles(principals: readonly string[], to: string, operation: Operation): Promise<void> {
  const { ensureRole } = await import('../procedures/identity/identity-ensure.ts');
  const { ENCRYPTION_USER } = await import('../../identities/key-roles.ts');
  const [vaultName = '', key] = to.split('/');
  const vault = await findVault(vaultName, operation.azure);
  for (const principalId of principals) {
    const grantee = { principalId, principalType: 'ServicePrincipal', name: principalId } as const;
    await ensureRole({ role: ENCRYPTION_USER, grantee, vault, key }, operation);
  }
}

const DONE = { pause: 'paused', resume: 'resumed', cancel: 'rolled back' } as const;

function addChange(rekey: CmkCommand, act: keyof typeof DONE, description: string): void {
  const command = rekey
    .command(act)
    .changing()
    .description(description)
    .argument('<id>', 'id of the re-key, as `cmk rekey list` prints it')
    .inStorage();
  if (act === 'cancel') command.option('--keep', 'end it without moving accounts back');

  const change = async ({ journal }: Operation, options: OrderOptions & { readonly keep?: boolean }, id: string) => {
    const { REKEY_STATUS } = await import('../../status/rekey.ts');
    const { reason, app } = await prepareOrder(options, rekey.cli);
    const before = await readOne(id, app);
    const text = `re-key ${id}: ${options.keep ? 'ended as it is' : DONE[act]}`;
    const change = { text, action: 'key.rekey', resource: before.order.from } as const;

    if (journal.dryRun) {
      journal.planned(change);
      return before;
    }

    const query = new URLSearchParams({ reason, keep: String(options.keep ?? false) });
    const after =
      act === 'cancel'
        ? await app.send('DELETE', `${pathOf(id)}?${query}`, undefined, REKEY_STATUS)
        : await app.send('POST', `${pathOf(id)}/${act}`, { reason }, REKEY_STATUS);

    // The app has already recorded it in the audit trail.
    journal.done(change);

    return after;
  };

  command.changes(change, (status, output) => {
    show(status, output);
    // The order succeeded, even if moves had failed before it.
    output.exitCode = EXIT.ok;
  });
}

function showAll(all: readonly RekeyStatus[], output: Output): void {
  if (all.length === 0) output.text('No re-key has been started.');

  output.list<RekeyStatus>(
    [
      ['ID', ({ order }) => order.id],
      ['FROM', ({ order }) => formatIdentifier(order.from) ?? order.from],
      ['TO', ({ order }) => formatIdentifier(order.to) ?? order.to],
      ['STATE', ({ order: { state, paused } }) => (paused ? `${state}, paused` : state)],
      ['MOVED', ({ progress }) => progress.moved],
      ['WAITING', ({ progress }) => progress.waiting],
      ['FAILED', ({ progress }) => progress.failed],
      ['LEFT', ({ progress }) => progress.left],
    ],
    all,
  );

  const open = all.filter(({ progress }) => progress.toDo.length > 0);
  output.notes(open.map(({ order }) => `Some steps remain: cmk rekey show ${order.id}`));
  output.incompleteIf(all.some(({ progress }) => progress.failed > 0));
}

function show({ order, progress }: RekeyStatus, output: Output): void {
  const { id, from, to, state, paused } = order;

  output.text(`${id}: ${from} to ${to}, ${state}${paused ? `, paused (${paused.why})` : ''}`);

  const { moved, waiting, failed, left, incomplete } = progress;

  output.text(`  moved ${moved}, waiting ${waiting}, failed ${failed}, moved by other writers or deleted ${left}`);

  if (incomplete) output.notes(['The fleet index cannot be read: more accounts may be waiting.']);

  output.list<RekeyStatus['progress']['failures'][number]>(
    [['ACCOUNT', ({ account }) => getLastName(account)], 'scope', 'reason', 'detail'],
    progress.failures,
  );
  output.notes(progress.toDo);
  output.incompleteIf(failed > 0);
}

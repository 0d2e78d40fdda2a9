import { describeUnlistedAccounts } from '../../accounts/in-sight.ts';
import { getLastName } from '../../azure/resource-id.ts';
import { parseMoment } from '../../formats/duration.ts';
import { formatIdentifier } from '../../keys/key-identifier.ts';
import type { Ordered } from '../../orders/order-pause.ts';
import { ROTATION, ROTATION_LIST, type Rotation, type RotationSummary } from '../../status/rotation-schemas.ts';
import { readPages } from '../procedures/app-api.ts';
import type { Operation } from '../procedures/operator-azure.ts';
import type { CmkCommand } from '../terminal/command.ts';
import type { Output } from '../terminal/output.ts';

export function addRotationCommands(program: CmkCommand): void {
  const { cli } = program;
  const rotation = program
    .command('rotation')
    .description('moves of accounts to a new version of their key')
    .summary('moves to a new version: list, show, pause, resume');
  let pauses: Ordered['pauses'] = [];

  rotation
    .command('list')
    .description('rotations in progress or finished within a week, and pauses')
    .readsApp(
      async ({ app }) => {
        const pages = await Array.fromAsync(readPages(app, '/rotations', ROTATION_LIST));
        pauses = pages.at(-1)?.pauses ?? [];
        return pages.flatMap(({ value }) => value);
      },
      (rows, output) => {
        showAll(rows, output);
        showPauses(pauses, output);
      },
    );

  rotation
    .command('show <key>')
    .inVault('the vault of the key')
    .description('one rotation: progress by region, and failures with reasons; --watch ends when it does')
    .readsApp(
      async ({ app, journal }, _, key) => {
        const { vault, name } = await cli.key(key);
        const one = await app.get(`/rotations/${vault.name}/${name}`, ROTATION);
        const { moved = 0, waiting = 0, failed = 0, expectedEnd = '' } = one;
        if (one.state === 'underWay') journal.waiting(expectedEnd, { done: moved, total: moved + waiting + failed });
        return [one] as const;
      },
      showOne,
      ([{ state }]) => state !== 'underWay',
    );

  addOrder(rotation.command('pause [key]'), 'pause')
    .description('pause moves and rotations of a key or of all keys; break-glass is not paused')
    .option('--until <time>', 'end of the pause: a time (2026-12-01T06:00Z), or a duration from now (PT4H)');
  addOrder(rotation.command('resume [key]'), 'resume').description(
    'end a pause; with a key, also retry failed accounts, and continue a rotation that a failed canary or wave holds',
  );
}

function showAll(rows: readonly RotationSummary[], output: Output): void {
  output.list<RotationSummary>(
    [
      ['KEY', ({ key }) => formatIdentifier(key) ?? key],
      ...(['state', 'moved', 'waiting', 'failed', 'left', 'expectedEnd'] as const),
    ],
    rows,
  );
  output.incompleteIf(rows.some(({ state }) => state === 'stuck' || state === 'held' || state === 'unknown'));
}

function showOne([rotation]: readonly [Rotation], output: Output): void {
  showAll([rotation], output);

  const { detail, pause, stage, unlisted, places, failedUses, deniedMoves = [], oldestWaiting } = rotation;
  if (pause) output.text(`Paused ${formatPause(pause)}`);
  else if (detail) output.text(detail);
  if (stage) output.text(`Stage: ${stage.name} (${stage.state}).`);

  if (unlisted) {
    output.notes([
      `Finished according to the fleet index: ${describeUnlistedAccounts(unlisted)}, and may use the key too.`,
    ]);
  }

  if (!output.isRows) {
    const columns = ['subscription', 'region', 'moved', 'waiting', 'failed', 'expectedEnd'] as const;
    output.list<Rotation['places'][number]>(columns, places);
  }

  for (const { account, scope, reason, detail: why } of failedUses) {
    const name = `${getLastName(account)}${scope ? `/${scope}` : ''}`;
    output.notes([`${name} could not be moved: ${reason}${why ? `. ${why}` : ''}`]);
  }

  for (const { account, detail: why, command } of deniedMoves) {
    output.notes([`${getLastName(account)}: ${why}${command ? ` To exempt it: ${command}` : ''}`]);
  }

  if (oldestWaiting) {
    output.text(`Waiting longest: ${getLastName(oldestWaiting.account)} (${oldestWaiting.reason}).`);
  }
}

/** Makes a command pause or resume a key or all keys. */
function addOrder(command: CmkCommand, act: 'pause' | 'resume'): CmkCommand {
  const { cli } = command;
  let key: string | undefined;

  type Options = { readonly reason: string; readonly ticket?: string; readonly until?: string };

  const order = async ({ azure }: Operation, { reason, ticket, until }: Options, name?: string) => {
    const { CONTROL_RESPONSE } = await import('../../api/pause.ts');
    const { createAppByStorage } = await import('../terminal/app-of-environment.ts');
    const found = name === undefined ? undefined : await cli.key(name);
    key = found && `${found.vault.name}/${found.name}`;
    const end = until === undefined ? undefined : parseMoment(until, azure.now()).toISOString();
    const app = await createAppByStorage(cli);
    return app.send('POST', `/${act}`, { reason, ticket, key, until: end }, CONTROL_RESPONSE);
  };

  command
    .inVault('the vault of the key')
    .ordering()
    .inStorage()
    .reads(order, (ordered, output) => showOrdered(ordered, output, act === 'resume' ? key : undefined));

  return command;
}

/** @param resumed the key of a resume, as `<vault>/<key>` */
function showOrdered({ pauses, ended, opened, audit, warnings }: Ordered, output: Output, resumed?: string): void {
  for (const { key = 'all keys', reason } of ended) {
    output.entry({ kind: 'done', text: `The pause of ${key} has ended: ${reason}` });
  }
  for (const target of opened) {
    output.entry({ kind: 'done', text: `All accounts may move to ${target} now, although a canary or wave failed.` });
  }
  const isPaused = pauses.some(({ key }) => key === undefined || formatIdentifier(key) === resumed?.toLowerCase());
  if (resumed && !isPaused && warnings.length === 0) output.text(`The app retries failed accounts of ${resumed} now.`);
  if (pauses.length === 0) output.text('Nothing is paused.');
  showPauses(pauses, output);
  output.problems([...(audit === 'written' ? [] : [`Not in the audit trail: ${audit}`]), ...warnings]);
}

function showPauses(pauses: Ordered['pauses'], output: Output): void {
  for (const { key = 'all keys', ...pause } of pauses) output.text(`Paused: ${key} ${formatPause(pause)}`);
}

type Pause = Pick<Ordered['pauses'][number], 'since' | 'until' | 'reason'>;

/** Formats a pause as `since … until …: a change freeze`. */
export function formatPause({ since, until, reason }: Pause): string {
  return `since ${since}${until ? ` until ${until}` : ''}: ${reason}`;
}

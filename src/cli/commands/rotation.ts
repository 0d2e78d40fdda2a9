import type { Command } from 'commander';
import { accountsNotListed } from '../../accounts/in-sight.ts';
import { lastName } from '../../azure/resource-id.ts';
import type { Rotation, RotationSummary } from '../../fleet/rotation-schemas.ts';
import { nameOfIdentifier } from '../../keys/key-identifier.ts';
import type { AppApi } from '../../operations/app-api.ts';
import type { Operation } from '../../operations/operator-azure.ts';
import type { Ordered } from '../../orders/order-pause.ts';
import { parseMoment } from '../../time/duration.ts';
import type { RotationPage } from '../../views/rotation.ts';
import { appByStorage, IN_STORAGE, reading } from '../app-of-environment.ts';
import type { Cli } from '../cli.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { explained, inVault } from '../options.ts';
import type { Output } from '../output.ts';

export function addRotationCommands(program: Command, cli: Cli): void {
  const rotation = program
    .command('rotation')
    .description('moves of accounts to a new version of their key')
    .summary('moves to a new version: list, show, pause, resume');
  const list = rotation.command('list').description('rotations in progress or finished within a week, and pauses');
  let pauses: RotationPage['pauses'] = [];
  const readAll = async (app: AppApi): Promise<RotationSummary[]> => {
    const { pagesOf } = await import('../../operations/app-api.ts');
    const { ROTATION_LIST } = await import('../../views/rotation.ts');
    const rotations: RotationSummary[] = [];
    for await (const page of pagesOf(app, '/rotations', ROTATION_LIST)) {
      rotations.push(...page.value);
      ({ pauses } = page);
    }
    return rotations;
  };
  reading(list, cli, readAll, (rows, output) => {
    const code = showAll(rows, output);
    showPauses(pauses, output);
    return code;
  });
  const show = inVault(rotation.command('show <key>'), 'the vault of the key').description(
    'one rotation: progress by region, and failures with reasons; --watch ends when it does',
  );
  const readOne = async (app: AppApi, { journal }: Operation): Promise<readonly [Rotation]> => {
    const { ROTATION } = await import('../../fleet/rotation-schemas.ts');
    const { vault, name } = await cli.key(show.args[0] ?? '', show);
    const one = await app.get(`/rotations/${vault.name}/${name}`, ROTATION);
    const { moved = 0, waiting = 0, failed = 0, expectedEnd = '' } = one;
    if (one.state === 'underWay') journal.waiting(expectedEnd, { done: moved, total: moved + waiting + failed });
    return [one];
  };
  reading(show, cli, readOne, showOne, ([{ state }]) => state !== 'underWay');
  addControlCommands(rotation, cli);
}

function showAll(rows: readonly RotationSummary[], output: Output): ExitCode {
  output.list<RotationSummary>(
    [
      ['KEY', ({ key }) => nameOfIdentifier(key) ?? key],
      ...(['state', 'moved', 'waiting', 'failed', 'left', 'expectedEnd'] as const),
    ],
    rows,
  );
  const needsOperator = rows.some(({ state }) => state === 'stuck' || state === 'held' || state === 'unknown');
  return needsOperator ? EXIT.incomplete : EXIT.ok;
}

function showOne([rotation]: readonly [Rotation], output: Output): ExitCode {
  const code = showAll([rotation], output);
  const { detail, pause, stage, unlisted, places, failedUses, oldestWaiting } = rotation;
  if (pause) output.text(`Paused ${sinceOf(pause)}`);
  else if (detail) output.text(detail);
  if (stage) output.text(`Stage: ${stage.name} (${stage.state}).`);
  if (unlisted) {
    output.note(`Finished according to the fleet index: ${accountsNotListed(unlisted)}, and may use the key too.`);
  }
  if (!output.isRows) {
    output.list<Rotation['places'][number]>(
      ['subscription', 'region', 'moved', 'waiting', 'failed', 'expectedEnd'],
      places,
    );
  }
  for (const { account, scope, reason, detail: why } of failedUses) {
    const name = `${lastName(account)}${scope ? `/${scope}` : ''}`;
    output.note(`${name} could not be moved: ${reason}${why ? `. ${why}` : ''}`);
  }
  if (oldestWaiting) {
    output.text(`Waiting longest: ${lastName(oldestWaiting.account)} (${oldestWaiting.reason}).`);
  }
  return code;
}

interface Said {
  readonly reason: string;
  readonly ticket?: string;
  readonly until?: string;
}

/** Adds `rotation pause` and `rotation resume`. */
function addControlCommands(rotation: Command, cli: Cli): void {
  const order = (act: 'pause' | 'resume'): Command =>
    explained(inVault(rotation.command(`${act} [key]`), 'the vault of the key'))
      .addHelpText('after', IN_STORAGE)
      .action(async (name: string | undefined, { reason, ticket, until }: Said, command: Command) => {
        const { CONTROL_RESPONSE } = await import('../../api/pause.ts');
        const key = name === undefined ? undefined : await cli.key(name, command);
        const app = await appByStorage(cli, command);
        const work = async ({ azure }: Operation) => {
          const end = until === undefined ? undefined : parseMoment(until, azure.now()).toISOString();
          const body = { reason, ticket, key: key && `${key.vault.name}/${key.name}`, until: end };
          return app.send('POST', `/${act}`, body, CONTROL_RESPONSE);
        };
        const resumed = act === 'resume' && key ? `${key.vault.name}/${key.name}` : undefined;
        await cli.read(command, work, (ordered, output) => show(ordered, output, resumed));
      });
  order('pause')
    .description('pause moves and rotations of a key or of all keys; break-glass is not paused')
    .option('--until <time>', 'end of the pause: a time (2026-12-01T06:00Z), or a duration from now (PT4H)');
  order('resume').description('end a pause; with a key, also retry failed accounts and continue after a failed stage');
}

/** @param resumed the key of a resume, as `<vault>/<key>` */
function show({ pauses, ended, audit, warnings }: Ordered, output: Output, resumed?: string): ExitCode {
  for (const { key = 'all keys', reason } of ended)
    output.entry({ kind: 'done', text: `The pause of ${key} has ended: ${reason}` });
  const isPaused = pauses.some(({ key }) => key === undefined || nameOfIdentifier(key) === resumed?.toLowerCase());
  if (resumed && !isPaused && warnings.length === 0) output.text(`The app retries failed accounts of ${resumed} now.`);
  if (pauses.length === 0) output.text('Nothing is paused.');
  showPauses(pauses, output);
  if (audit !== 'written') output.note(`Not in the audit trail: ${audit}`);
  for (const warning of warnings) output.note(warning);
  return audit === 'written' && warnings.length === 0 ? EXIT.ok : EXIT.incomplete;
}

function showPauses(pauses: Ordered['pauses'], output: Output): void {
  for (const { key = 'all keys', ...pause } of pauses) output.text(`Paused: ${key} ${sinceOf(pause)}`);
}

/** Formats a pause as `since … until …: a change freeze`. */
export function sinceOf({
  since,
  until,
  reason,
}: Pick<Ordered['pauses'][number], 'since' | 'until' | 'reason'>): string {
  return `since ${since}${until ? ` until ${until}` : ''}: ${reason}`;
}

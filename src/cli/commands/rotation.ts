import type { Command } from 'commander';
import { nameOfIdentifier } from '../../keys/key-identifier.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import type { Azure } from '../../operations/operator-azure.ts';
import type { RotationStatus } from '../../operations/rotation/rotation-status.ts';
import type { RotationList, UnreadRotation } from '../../rollout/list-rotations.ts';
import { finishedAsFarAsKnown } from '../../rollout/read-rotation.ts';
import type { RotationView } from '../../rollout/rotation-view.ts';
import { knowsAppStorage } from '../../settings/own-storage.ts';
import { inAppStorage } from '../app-storage-failures.ts';
import type { Cli, GlobalOptions } from '../cli.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { inVault } from '../options.ts';
import type { Output } from '../output.ts';
import { addControlCommands, showPauses } from './fleet-control.ts';

/** A rotation is looked at so often while it is watched. Milliseconds. */
const WATCH_MS = 5_000;

const WHERE = `
It is read from the app's storage (AzureWebJobsStorage__accountName, with the
role Storage Table Data Reader), else from the app (CMK_API, CMK_API_AUDIENCE).`;

type Row = RotationView | UnreadRotation;

export function addRotationCommands(program: Command, cli: Cli): void {
  const rotation = program.command('rotation').description("how far a key's accounts are on its new version");
  inVault(rotation.command('status [key]'), 'the vault of the key')
    .description('rotations under way or finished within a week; with a key, where and why not')
    .addHelpText('after', WHERE)
    .action(async (name: string | undefined, { vault }: { vault?: string }, command: Command) => {
      const { keyByName } = await import('../../operations/resolve.ts');
      const key = name === undefined ? undefined : keyByName(name, vault, cli.cloud(command.optsWithGlobals()));
      let pauses: RotationList['pauses'] = [];
      const rowsOf = async (status: RotationStatus): Promise<readonly Row[]> => {
        if (key) return [await status.of(key)];
        const list = await status.list();
        ({ pauses } = list);
        return list.value;
      };
      await cli.look(
        command,
        ({ azure }) => inTable(cli, command, rowsOf, azure),
        (rows, output) => {
          const code = key ? showOne(rows[0], output) : showAll(rows, output);
          showPauses(pauses, output);
          return code;
        },
      );
    });
  inVault(rotation.command('watch <key>'), 'the vault of the key')
    .description('look every few seconds, until it is finished or needs somebody')
    .addHelpText('after', WHERE)
    .action(async (name: string, { vault }: { vault?: string }, command: Command) => {
      const { keyByName } = await import('../../operations/resolve.ts');
      const key = keyByName(name, vault, cli.cloud(command.optsWithGlobals()));
      await cli.look(
        command,
        async (operation) => {
          const { azure, journal } = operation;
          return inTable(
            cli,
            command,
            async (status) => [
              await watch(key, status, azure.sleep, ({ moved, waiting, failed, state }) =>
                journal.waiting(`${state}: ${moved ?? 0} moved, ${waiting ?? 0} waiting, ${failed ?? 0} failed`),
              ),
            ],
            azure,
          );
        },
        (rows, output) => showOne(rows[0], output),
      );
    });
  addControlCommands(rotation, cli);
}

/** Runs something that reads the fleet index, or asks the app where that is not known. */
async function inTable<T>(
  cli: Cli,
  command: Command,
  run: (status: RotationStatus) => Promise<T>,
  azure: Azure,
): Promise<T> {
  const { rotationAccess } = await import('../../operations/rotation/rotation-access.ts');
  const { statusFromApi, statusFromStorage } = await import('../../operations/rotation/rotation-status.ts');
  const { environment } = cli;
  const credential = () => cli.credential(command.optsWithGlobals<GlobalOptions>());
  const { CMK_API: api, CMK_API_AUDIENCE: audience } = environment;
  if (!knowsAppStorage(environment) && api && audience) {
    const { appApi } = await import('../../operations/app-api.ts');
    return run(statusFromApi(appApi(api, audience, credential())));
  }
  const { FLEET_TABLE } = await import('../../fleet/fleet-table-client.ts');
  const ports = rotationAccess(environment, azure, credential);
  const place = { what: `table ${FLEET_TABLE}`, url: "the app's storage", role: 'Storage Table Data Reader' };
  return inAppStorage(place, () => run(statusFromStorage(ports)));
}

/** Until nothing goes on by itself. */
async function watch(
  key: ManagedKey,
  status: RotationStatus,
  sleep: (ms: number) => Promise<void>,
  seen: (view: RotationView) => void,
): Promise<RotationView> {
  for (;;) {
    const view = await status.of(key);
    if (view.state !== 'underWay') return view;
    seen(view);
    await sleep(WATCH_MS);
  }
}

function showAll(rows: readonly Row[], output: Output): ExitCode {
  output.table(
    ['KEY', 'STATE', 'MOVED', 'WAITING', 'FAILED', 'LEFT', 'EXPECTED END'],
    rows.map((row) => {
      const counts = row.state === 'unknown' ? {} : row;
      const { moved, waiting, failed, left, expectedEnd } = counts as Partial<RotationView>;
      return [shortKey(row.key), row.state, ...[moved, waiting, failed, left].map(shown), expectedEnd];
    }),
    rows,
  );
  const needsSomebody = rows.some(({ state }) => state === 'stuck' || state === 'held' || state === 'unknown');
  return needsSomebody ? EXIT.incomplete : EXIT.ok;
}

function showOne(view: Row | undefined, output: Output): ExitCode {
  if (!view || view.state === 'unknown') return EXIT.incomplete;
  showAll([view], output);
  const { detail, pause, stage, unlisted, places = [], failedUses = [], waitingUses = [] } = view;
  if (pause) output.text(`Paused since ${pause.since}${pause.until ? ` until ${pause.until}` : ''}: ${pause.reason}`);
  else if (detail) output.text(detail);
  if (stage) output.text(`Stage: ${stage.name} (${stage.state}).`);
  if (unlisted) output.entry({ kind: 'note', text: finishedAsFarAsKnown(unlisted) });
  const inPlaces = places.map(({ subscription, region, moved, waiting, failed, expectedEnd }) => [
    subscription,
    region,
    ...[moved, waiting, failed].map(shown),
    expectedEnd,
  ]);
  if (!output.isRows) output.table(['SUBSCRIPTION', 'REGION', 'MOVED', 'WAITING', 'FAILED', 'EXPECTED END'], inPlaces);
  for (const { account, scope, reason, detail: why } of failedUses) {
    const name = `${account.split('/').at(-1)}${scope ? `/${scope}` : ''}`;
    output.entry({ kind: 'note', text: `${name} could not be moved: ${reason}${why ? `. ${why}` : ''}` });
  }
  const [oldest] = waitingUses;
  if (oldest) output.text(`Waiting longest: ${oldest.account.split('/').at(-1)} (${oldest.reason}).`);
  return view.state === 'stuck' || view.state === 'held' ? EXIT.incomplete : EXIT.ok;
}

function shown(count: number | undefined): string | undefined {
  return count === undefined ? undefined : String(count);
}

function shortKey(key: string): string {
  return nameOfIdentifier(key) ?? key;
}

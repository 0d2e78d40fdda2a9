import type { Command } from 'commander';
import { accountsNotListed } from '../../accounts/in-sight.ts';
import type { Rotation, RotationSummary } from '../../fleet/rotation-schemas.ts';
import { nameOfIdentifier } from '../../keys/key-identifier.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import type { AppApi } from '../../operations/app-api.ts';
import type { RotationPage } from '../../views/rotation.ts';
import { appOrItsStorage } from '../app-of-environment.ts';
import type { Cli, GlobalOptions } from '../cli.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { inVault } from '../options.ts';
import type { Output } from '../output.ts';
import { addControlCommands, showPauses } from './fleet-control.ts';

/** A rotation is looked at so often while it is watched. Milliseconds. */
const WATCH_MS = 5_000;

const WHERE = `
The app is asked (CMK_API, CMK_API_AUDIENCE). Where it is not named or does not
answer, the same is read from its storage (AzureWebJobsStorage__accountName,
CMK_VAULTS), with the roles Storage Table and Storage Blob Data Reader.`;

export function addRotationCommands(program: Command, cli: Cli): void {
  const rotation = program.command('rotation').description("how far a key's accounts are on its new version");
  inVault(rotation.command('status [key]'), 'the vault of the key')
    .description('rotations under way or finished within a week; with a key, where and why not')
    .addHelpText('after', WHERE)
    .action(async (name: string | undefined, { vault }: { vault?: string }, command: Command) => {
      const { keyByName } = await import('../../operations/resolve.ts');
      const key = name === undefined ? undefined : keyByName(name, vault, cli.cloud(command.optsWithGlobals()));
      const app = await appOrItsStorage(cli, command.optsWithGlobals<GlobalOptions>());
      if (key) {
        await cli.look(command, async () => [await readRotation(key, app)], showOne);
        return;
      }
      const { readAllRotations } = await import('../read-all-rotations.ts');
      let pauses: RotationPage['pauses'] = [];
      await cli.look(
        command,
        async () => {
          const list = await readAllRotations(app);
          ({ pauses } = list);
          return list.value;
        },
        (rows, output) => {
          const code = showAll(rows, output);
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
      const app = await appOrItsStorage(cli, command.optsWithGlobals<GlobalOptions>());
      await cli.look(
        command,
        async ({ azure, journal }) => [
          await watch(key, app, azure.sleep, ({ moved, waiting, failed, state }) =>
            journal.waiting(`${state}: ${moved ?? 0} moved, ${waiting ?? 0} waiting, ${failed ?? 0} failed`),
          ),
        ],
        showOne,
      );
    });
  addControlCommands(rotation, cli);
}

async function readRotation({ vault, name }: ManagedKey, app: AppApi): Promise<Rotation> {
  const { ROTATION } = await import('../../fleet/rotation-schemas.ts');
  return app.get(`/rotations/${vault.name}/${name}`, ROTATION);
}

/** Until nothing goes on by itself. */
async function watch(
  key: ManagedKey,
  app: AppApi,
  sleep: (ms: number) => Promise<void>,
  seen: (rotation: Rotation) => void,
): Promise<Rotation> {
  for (;;) {
    const rotation = await readRotation(key, app);
    if (rotation.state !== 'underWay') return rotation;
    seen(rotation);
    await sleep(WATCH_MS);
  }
}

function showAll(rows: readonly RotationSummary[], output: Output): ExitCode {
  output.table(
    ['KEY', 'STATE', 'MOVED', 'WAITING', 'FAILED', 'LEFT', 'EXPECTED END'],
    rows.map(({ key, state, moved, waiting, failed, left, expectedEnd }) => [
      shortKey(key),
      state,
      ...[moved, waiting, failed, left].map(shown),
      expectedEnd,
    ]),
    rows,
  );
  const needsSomebody = rows.some(({ state }) => state === 'stuck' || state === 'held' || state === 'unknown');
  return needsSomebody ? EXIT.incomplete : EXIT.ok;
}

function showOne([rotation]: readonly Rotation[], output: Output): ExitCode {
  if (!rotation) return EXIT.incomplete;
  const code = showAll([rotation], output);
  const { detail, pause, stage, unlisted, places, failedUses, oldestWaiting } = rotation;
  if (pause) output.text(`Paused since ${pause.since}${pause.until ? ` until ${pause.until}` : ''}: ${pause.reason}`);
  else if (detail) output.text(detail);
  if (stage) output.text(`Stage: ${stage.name} (${stage.state}).`);
  if (unlisted) {
    const text = `Finished as far as is known: ${accountsNotListed(unlisted)}, and may use the key too.`;
    output.entry({ kind: 'note', text });
  }
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
  if (oldestWaiting) {
    output.text(`Waiting longest: ${oldestWaiting.account.split('/').at(-1)} (${oldestWaiting.reason}).`);
  }
  return code;
}

function shown(count: number | undefined): string | undefined {
  return count === undefined ? undefined : String(count);
}

function shortKey(key: string): string {
  return nameOfIdentifier(key) ?? key;
}

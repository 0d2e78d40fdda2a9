import type { Command } from 'commander';
import { causeLabel } from '../../fleet/fleet-summary.ts';
import { nameOfIdentifier } from '../../keys/key-identifier.ts';
import type { NowAnswer, NowParts } from '../../views/now-schemas.ts';
import { appOrItsStorage } from '../app-of-environment.ts';
import type { Cli } from '../cli.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { watching } from '../options.ts';
import type { Cell, Output } from '../output.ts';

/** What takes long is asked for again so often, and for so long. Milliseconds. */
const AGAIN_MS = 1_000;
const LONGEST_MS = 60_000;

const HELP = `
The app is asked (CMK_API, CMK_API_AUDIENCE). Where it is not named or does not
answer, the same is read from its storage (AzureWebJobsStorage__accountName,
CMK_VAULTS) on your sign-in. It ends with 0 when the fleet is healthy, and with
1 when it is not, needs attention, or is not known.`;

type WholeNow = NowAnswer & NowParts;

export function addNowCommand(program: Command, cli: Cli): void {
  watching(program.command('now'))
    .description('health of the fleet, and what is wrong')
    .addHelpText('after', HELP)
    .action(async (_options: object, command: Command) => {
      const { NOW } = await import('../../views/now-schemas.ts');
      const api = await appOrItsStorage(cli, command);
      await cli.look(
        command,
        async ({ azure }) => {
          const endMs = azure.now().getTime() + LONGEST_MS;
          for (;;) {
            const now = await api.get('/now', NOW);
            if (!isBeingRead(now) || azure.now().getTime() > endMs) return now;
            await azure.sleep(AGAIN_MS);
          }
        },
        showNow,
      );
    });
}

function isBeingRead({ line: _, tone: __, ...parts }: WholeNow): boolean {
  return Object.values(parts).some((part) => part.reading);
}

function showNow(now: WholeNow, output: Output): ExitCode {
  if (!output.isRows) output.text(now.line);
  if (!output.isRows && now.fleet.value) {
    const check = now.drift.value?.report;
    const by = check ? ` and the drift check of ${check.startedOn}` : '; no drift check has run yet';
    output.text(`${now.fleet.value.text}.`);
    output.text(`By the fleet index${by}.`);
  }
  const rows = [...(output.isRows ? [['line', undefined, now.tone, now.line]] : []), ...rowsOf(now)];
  // One thing in one line, there.
  if (rows.length > 0 && output.format !== 'jsonl') output.table(['PART', 'ABOUT', 'STATE', 'DETAIL'], rows);
  for (const [part, { problem }] of Object.entries(partsOf(now))) {
    if (problem) output.aside(`${part}: ${problem.detail} ${problem.nextStep}`);
  }
  return now.tone === 'good' ? EXIT.ok : EXIT.incomplete;
}

function partsOf({ line: _, tone: __, ...parts }: WholeNow): NowParts {
  return parts;
}

/** What is not as usual, a line for each. */
function rowsOf({ keys, pauses, rotations, drift }: WholeNow): readonly (readonly Cell[])[] {
  const underWay = [...(rotations.value?.underWay ?? []), ...(keys.value?.notBegun ?? [])];
  const causes = drift.value?.report?.causes ?? [];
  return [
    ...(keys.value?.revoked ?? []).map(({ key, revocation }) => ['keys', nameOf(key), 'revoked', sinceOf(revocation)]),
    ...underWay.map(({ key, state, moved = 0, waiting = 0, failed = 0 }) => [
      'rotations',
      nameOf(key),
      state,
      `${moved} moved, ${waiting} waiting, ${failed} failed`,
    ]),
    ...(pauses.value ?? []).map(({ key, reason, since, until }) => [
      'pauses',
      key === undefined ? 'all keys' : nameOf(key),
      'paused',
      `since ${since}${until ? ` until ${until}` : ''}: ${reason}`,
    ]),
    ...causes
      .filter(({ severity }) => severity !== 'advice')
      .map(({ severity, reason, about, is }) => [
        'drift',
        causeLabel({ about }) || undefined,
        severity,
        `${reason}: ${is}`,
      ]),
  ];
}

function sinceOf({ revokedOn, revokedBy }: { readonly revokedOn: string; readonly revokedBy: string }): string {
  return `since ${revokedOn} by ${revokedBy}`;
}

function nameOf(key: string): string {
  return nameOfIdentifier(key) ?? key;
}

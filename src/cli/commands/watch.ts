import { type Command, Option } from 'commander';
import type { FleetEvent, WatchedFleet } from '../../operations/watch/fleet-changes.ts';
import { appOfEnvironment } from '../app-of-environment.ts';
import { type Cli, ENDLESS, type GlobalOptions, seconds } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';
import { parsed, pause } from '../options.ts';
import { DOCUMENT_VERSION, type Output } from '../output.ts';

interface WatchArguments {
  every: number;
  for?: number;
}

const HELP = `
It asks the app (CMK_API, CMK_API_AUDIENCE). What goes on already is told first;
findings change when a drift check has run. With -o jsonl an event is a line.`;

export function addWatchCommand(program: Command, cli: Cli): void {
  program
    .command('watch')
    .summary('what changes, as it does, until Ctrl-C')
    .description('what changes, as it does: rotations, revocations, findings, how accounts stand; until Ctrl-C')
    .addOption(new Option('--every <duration>', 'how often to look').argParser(parsed(pause)).default(15, 'PT15S'))
    .addOption(new Option('--for <duration>', 'end after so long').argParser(parsed(seconds)))
    .addHelpText('after', HELP)
    .action(async (options: WatchArguments, command: Command) => {
      const globals = command.optsWithGlobals<GlobalOptions>();
      const output = cli.output(globals);
      if (output.format === 'json' || output.format === 'csv') throw ENDLESS;
      const look = await looker(cli, globals);
      const { now, sleep } = await cli.azure(globals);
      // Ctrl-C is how it is meant to end.
      cli.isEndless = true;
      const endMs = options.for === undefined ? Number.POSITIVE_INFINITY : now().getTime() + options.for * 1_000;
      let before: WatchedFleet | undefined;
      for (;;) {
        before = await tellChanges(before, look, now, output);
        if (now().getTime() + options.every * 1_000 > endMs) break;
        await sleep(options.every * 1_000);
      }
      cli.exitCode = EXIT.ok;
    });
}

/** @throws {@link CmkError} `ArgumentInvalid` where it is not known whom to ask */
async function looker(cli: Cli, globals: GlobalOptions): Promise<() => Promise<WatchedFleet>> {
  const { readWatched } = await import('../read-watched.ts');
  const api = await appOfEnvironment(cli, globals);
  return () => readWatched(api);
}

/** An app that does not answer for a moment is no end of it, once it has answered. */
async function tellChanges(
  before: WatchedFleet | undefined,
  look: () => Promise<WatchedFleet>,
  now: () => Date,
  output: Output,
): Promise<WatchedFleet> {
  const { fleetChanges } = await import('../../operations/watch/fleet-changes.ts');
  try {
    const after = await look();
    for (const event of fleetChanges(before, after)) tell(event, now().toISOString(), output);
    return after;
  } catch (error) {
    if (!before) throw error;
    const { explain } = await import('../explain.ts');
    output.entry({ kind: 'note', text: `${now().toISOString()} ${explain(error).message}` });
    return before;
  }
}

function tell({ kind, change, about, text }: FleetEvent, at: string, output: Output): void {
  if (output.format === 'jsonl') output.line({ version: DOCUMENT_VERSION, at, kind, change, about, text });
  else if (output.format === 'terminal') output.text(`${at}  ${kind.padEnd(10)}  ${text}`);
  else output.table(['AT', 'KIND', 'CHANGE', 'ABOUT', 'TEXT'], [[at, kind, change, about || undefined, text]]);
}

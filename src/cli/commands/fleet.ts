import { type Command, Option } from 'commander';
import { HEALTH_STATES, type HealthState } from '../../fleet/health-states.ts';
import { nameOfIdentifier, parseKeyIdentifier } from '../../keys/key-identifier.ts';
import type { Fleet, FleetRow } from '../../operations/fleet-list.ts';
import { inShort } from '../../time/duration.ts';
import type { Cli, GlobalOptions } from '../cli.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { type KnownNames, rememberNames } from '../name-cache.ts';
import type { Cell, Output } from '../output.ts';

/** What rows can be sorted by. */
const SORTS = [
  'account',
  'subscription',
  'resource-group',
  'region',
  'key',
  'mode',
  'version',
  'health',
  'since',
  'cause',
  'state',
] as const;
type Sort = (typeof SORTS)[number];

const SINCE = `
Since when an account is revoked or stale, its tags and the versions of its key
tell. The rest is remembered by the newest drift check: in the app's storage
(AzureWebJobsStorage__accountName, with the role Storage Blob Data Reader), or,
where that is not set, by the app (CMK_API, CMK_API_AUDIENCE). Neither is
needed: without them there is no date.`;

interface FleetArguments {
  all?: boolean;
  scopes?: boolean;
  key?: string[];
  vault?: string[];
  resourceGroup?: string[];
  tag?: string[];
  health?: HealthState[];
  cause?: string[];
  sort: Sort;
}

export function addFleetCommands(program: Command, cli: Cli): void {
  const fleet = program.command('fleet').description('every account that your sign-in sees');
  fleet
    .command('list')
    .description('accounts with their key, mode and version, and how they stand')
    .option('--all', 'accounts with Microsoft-managed keys too, that nobody misses')
    .option('--scopes', 'encryption scopes too (one call more for each account)')
    .option('--key <key...>', 'those that use this key: <key>, <vault>/<key> or an identifier')
    .option('--vault <vault...>', 'those that use a key of this vault')
    .option('-g, --resource-group <group...>', 'those in this resource group')
    .option('--tag <name=value...>', 'those with this tag; a name alone: with any value')
    .addOption(new Option('--health <state...>', 'those that stand so').choices(HEALTH_STATES))
    .option('--cause <cause...>', 'those behind which this is: a reason code, or as the table has it')
    .addOption(new Option('--sort <column>', 'what to sort by').choices(SORTS).default('account'))
    .addHelpText('after', SINCE)
    .action(async (options: FleetArguments, command: Command) => {
      const { all = false, scopes = false, sort, key, vault, resourceGroup, tag } = options;
      const health = given({ health: options.health, cause: options.cause });
      const { listFleet } = await import('../../operations/fleet-list.ts');
      const globals = command.optsWithGlobals<GlobalOptions>();
      const { subscription } = globals;
      let now = new Date(0);
      const filter = given({ key, vault, resourceGroup, tag });
      await cli.look(
        command,
        async (operation) => {
          const wanted = { subscription, scopes, all, filter, health };
          const found = await listFleet(wanted, operation, () => cli.credential(globals));
          now = operation.azure.now();
          rememberNames(cli.environment, namesIn(found.rows));
          return { ...found, rows: sorted(found.rows, sort) };
        },
        (found, output) => showFleet(found, output, now),
      );
    });
}

function showFleet({ summary, rows, unread, sinceUnknown }: Fleet, output: Output, now: Date): ExitCode {
  if (output.format === 'terminal') output.text(`${summary.text}.`);
  output.table(
    [
      'ACCOUNT',
      'REGION',
      'KEY',
      'MODE',
      'VERSION',
      'HEALTH',
      'SINCE',
      'CAUSE',
      { title: 'STATE', wide: true },
      { title: 'RESOURCE GROUP', wide: true },
      { title: 'SUBSCRIPTION', wide: true },
      { title: 'TAGS', wide: true },
    ],
    rows.map(({ name, scope, region, key, mode, version, health, since, cause, state, ...place }) => [
      scope ? `${name}/${scope}` : name,
      region,
      key && (nameOfIdentifier(key) ?? key),
      mode,
      shortVersion(version),
      health,
      since && { full: since, short: inShort((now.getTime() - Date.parse(since)) / 1_000) },
      cause && (cause.label === '' ? cause.reason : `${cause.reason} (${cause.label})`),
      state,
      place.resourceGroup,
      place.subscription,
      Object.entries(place.tags)
        .map(([tag, value]) => `${tag}=${value}`)
        .join(' '),
    ]),
    rows,
  );
  for (const text of unread) output.entry({ kind: 'note', text });
  if (sinceUnknown !== undefined) output.aside(sinceUnknown);
  return unread.length > 0 ? EXIT.incomplete : EXIT.ok;
}

/** For completion. */
function namesIn(rows: readonly FleetRow[]): KnownNames {
  const used = rows.flatMap(({ key }) => parseKeyIdentifier(key ?? '') ?? []);
  return {
    accounts: [...new Set(rows.map(({ name }) => name))],
    vaults: [...new Set(used.map(({ vaultName }) => vaultName))],
    keys: [...new Set(used.map(({ keyName }) => keyName))],
  };
}

/** A version as a table shows it: enough of it to tell two apart. */
function shortVersion(version: string | undefined): Cell {
  return version === undefined ? undefined : { full: version, short: version.slice(0, 8) };
}

/** What was given of some options. */
function given(options: Readonly<Record<string, readonly string[] | undefined>>): Record<string, readonly string[]> {
  return Object.fromEntries(Object.entries(options).flatMap(([name, values]) => (values ? [[name, values]] : [])));
}

/** By health the worst comes first. */
function rank({ health }: FleetRow, by: Sort): number {
  return by === 'health' ? HEALTH_STATES.indexOf(health) : 0;
}

function sorted(rows: readonly FleetRow[], by: Sort): readonly FleetRow[] {
  // They come sorted by account, and sorting keeps the order of what is alike.
  if (by === 'account') return rows;
  const field = by === 'resource-group' ? 'resourceGroup' : by;
  // What has no date comes after all that have one.
  const none = field === 'since' ? 'z' : '';
  const textOf = (row: FleetRow): string => (field === 'cause' ? row.cause?.label : row[field]) ?? none;
  return [...rows].sort((a, b) => rank(a, by) - rank(b, by) || textOf(a).localeCompare(textOf(b)));
}

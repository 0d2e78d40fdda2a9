import { type Command, Option } from 'commander';
import { HEALTH_STATES, type HealthState } from '../../fleet/health-states.ts';
import { nameOfIdentifier, parseKeyIdentifier } from '../../keys/key-identifier.ts';
import type { AppApi } from '../../operations/app-api.ts';
import { inShort } from '../../time/duration.ts';
import type { FleetListAnswer, FleetRowAnswer } from '../../views/fleet-schemas.ts';
import { appOrItsStorage } from '../app-of-environment.ts';
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
] as const;
type Sort = (typeof SORTS)[number];

const WHERE = `
The app is asked (CMK_API, CMK_API_AUDIENCE). Where it is not named or does not
answer, the same is read from its storage (AzureWebJobsStorage__accountName,
CMK_VAULTS), with the roles Storage Table and Storage Blob Data Reader.`;

/** An account in the list. */
interface FleetRow extends Pick<FleetRowAnswer, 'name' | 'subscription' | 'resourceGroup' | 'region' | 'tags'> {
  /** ARM id. */
  readonly account: string;
  /** Key identifier without a version; absent: with Microsoft-managed keys. */
  readonly key?: string | undefined;
  readonly mode?: FleetRowAnswer['mode'];
  readonly version?: string | undefined;
  readonly health: HealthState;
  /** Why, unless it serves. */
  readonly cause?: FleetRowAnswer['health']['cause'];
  /** Since when, as far as that is known (ISO 8601). */
  readonly since?: string | undefined;
}

interface Fleet {
  readonly summary: FleetListAnswer['summary'];
  readonly rows: readonly FleetRow[];
  /** What could not be read, one sentence each. */
  readonly unread: readonly string[];
}

interface FleetArguments {
  all?: boolean;
  key?: string[];
  vault?: string[];
  resourceGroup?: string[];
  tag?: string[];
  health?: HealthState[];
  cause?: string[];
  sort: Sort;
}

export function addFleetCommands(program: Command, cli: Cli): void {
  const fleet = program.command('fleet').description('every account that the app knows');
  fleet
    .command('list')
    .description('accounts with their key, mode and version, and how they stand')
    .option('--all', 'accounts with Microsoft-managed keys too, that nobody misses')
    .option('--key <key...>', 'those that use this key: <key>, <vault>/<key> or an identifier')
    .option('--vault <vault...>', 'those that use a key of this vault')
    .option('-g, --resource-group <group...>', 'those in this resource group')
    .option('--tag <name=value...>', 'those with this tag; a name alone: with any value')
    .addOption(new Option('--health <state...>', 'those that stand so').choices(HEALTH_STATES))
    .option('--cause <cause...>', 'those behind which this is: a reason code, or as the table has it')
    .addOption(new Option('--sort <column>', 'what to sort by').choices(SORTS).default('account'))
    .addHelpText('after', WHERE)
    .action(async (options: FleetArguments, command: Command) => {
      const { all = false, sort, key, vault, resourceGroup, tag, health, cause } = options;
      const globals = command.optsWithGlobals<GlobalOptions>();
      const subscription = globals.subscription === undefined ? undefined : [globals.subscription];
      const query = queryOfList({ key, vault, resourceGroup, tag, subscription, health, cause }, all);
      const app = await appOrItsStorage(cli, globals);
      let now = new Date(0);
      await cli.look(
        command,
        async ({ azure }) => {
          const found = await readFleet(query, app);
          now = azure.now();
          rememberNames(cli.environment, namesIn(found.rows));
          return { ...found, rows: sorted(found.rows, sort) };
        },
        (found, output) => showFleet(found, output, now),
      );
    });
}

function queryOfList(filters: Readonly<Record<string, readonly string[] | undefined>>, all: boolean): URLSearchParams {
  const query = new URLSearchParams({ top: '1000', all: String(all) });
  for (const [name, values = []] of Object.entries(filters)) for (const value of values) query.append(name, value);
  return query;
}

/** @throws {@link CmkError} with what the app says */
async function readFleet(query: URLSearchParams, app: AppApi): Promise<Fleet> {
  const { FLEET_LIST } = await import('../../views/fleet-schemas.ts');
  const rows: FleetRow[] = [];
  for (let path = `/fleet?${query}`; ; ) {
    const { value, nextLink, summary, warnings } = await app.get(path, FLEET_LIST);
    for (const { id, health, name, subscription, resourceGroup, region, tags, key, mode, version } of value) {
      const { state, ...why } = health;
      rows.push({
        account: id,
        name,
        subscription,
        resourceGroup,
        region,
        tags,
        key,
        mode,
        version,
        health: state,
        ...why,
      });
    }
    if (nextLink === undefined) return { summary, rows, unread: warnings };
    path = nextLink.replace(/^\/api/, '');
  }
}

function showFleet({ summary, rows, unread }: Fleet, output: Output, now: Date): ExitCode {
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
      { title: 'RESOURCE GROUP', wide: true },
      { title: 'SUBSCRIPTION', wide: true },
      { title: 'TAGS', wide: true },
    ],
    rows.map(({ name, region, key, mode, version, health, since, cause, ...place }) => [
      name,
      region,
      key && (nameOfIdentifier(key) ?? key),
      mode,
      shortVersion(version),
      health,
      since && { full: since, short: inShort((now.getTime() - Date.parse(since)) / 1_000) },
      cause && (cause.label === '' ? cause.reason : `${cause.reason} (${cause.label})`),
      place.resourceGroup,
      place.subscription,
      Object.entries(place.tags)
        .map(([tag, value]) => `${tag}=${value}`)
        .join(' '),
    ]),
    rows,
  );
  for (const text of unread) output.entry({ kind: 'note', text });
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

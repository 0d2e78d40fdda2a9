import { type Command, Option } from 'commander';
import type { Fleet, FleetRow } from '../../operations/fleet-list.ts';
import type { Cli } from '../cli.ts';
import { count } from '../count.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { type KnownNames, rememberNames } from '../name-cache.ts';
import type { Cell, Output } from '../output.ts';

/** What rows can be sorted by. */
const SORTS = ['account', 'subscription', 'resource-group', 'region', 'key', 'mode', 'version', 'state'] as const;
type Sort = (typeof SORTS)[number];

interface FleetArguments {
  all?: boolean;
  scopes?: boolean;
  key?: string[];
  vault?: string[];
  resourceGroup?: string[];
  tag?: string[];
  sort: Sort;
}

export function addFleetCommands(program: Command, cli: Cli): void {
  const fleet = program.command('fleet').description('every account that your sign-in sees');
  fleet
    .command('list')
    .description('accounts with their key, mode and version, and how they stand')
    .option('--all', 'accounts with Microsoft-managed keys too')
    .option('--scopes', 'encryption scopes too (one call more for each account)')
    .option('--key <key...>', 'those that use this key: <key>, <vault>/<key> or an identifier')
    .option('--vault <vault...>', 'those that use a key of this vault')
    .option('-g, --resource-group <group...>', 'those in this resource group')
    .option('--tag <name=value...>', 'those with this tag; a name alone: with any value')
    .addOption(new Option('--sort <column>', 'what to sort by').choices(SORTS).default('account'))
    .action(async (options: FleetArguments, command: Command) => {
      const { all = false, scopes = false, sort, key, vault, resourceGroup, tag } = options;
      const { listFleet } = await import('../../operations/fleet-list.ts');
      const { subscription } = command.optsWithGlobals<{ subscription?: string }>();
      const given = Object.entries({ key, vault, resourceGroup, tag }).filter(([, values]) => values !== undefined);
      const filter = Object.fromEntries(given);
      await cli.look(
        command,
        async (operation) => {
          const { rows, unread } = await listFleet({ subscription, scopes, all, filter }, operation);
          rememberNames(cli.environment, namesIn(rows));
          return { rows: sorted(rows, sort), unread };
        },
        showFleet,
      );
    });
}

function showFleet({ rows, unread }: Fleet, output: Output): ExitCode {
  output.table(
    [
      'ACCOUNT',
      'REGION',
      'KEY',
      'MODE',
      'VERSION',
      'STATE',
      { title: 'RESOURCE GROUP', wide: true },
      { title: 'SUBSCRIPTION', wide: true },
      { title: 'TAGS', wide: true },
    ],
    rows.map(({ name, scope, region, key, mode, version, state, resourceGroup, subscription, tags }) => [
      scope ? `${name}/${scope}` : name,
      region,
      key?.replace(/^https:\/\/([^.]+)\.[^/]+\/keys\//, '$1/'),
      mode,
      shortVersion(version),
      state,
      resourceGroup,
      subscription,
      Object.entries(tags)
        .map(([tag, value]) => `${tag}=${value}`)
        .join(' '),
    ]),
    rows,
  );
  if (output.format === 'terminal') output.text(`${count(rows.length, 'row')}: ${summaryOf(rows)}.`);
  for (const text of unread) output.entry({ kind: 'note', text });
  return unread.length > 0 ? EXIT.incomplete : EXIT.ok;
}

/** For completion. */
function namesIn(rows: readonly FleetRow[]): KnownNames {
  const used = rows.flatMap(({ key }) => /^https:\/\/([^.]+)\.[^/]+\/keys\/([^/]+)$/.exec(key ?? '') ?? []);
  const every = (at: number): string[] => [...new Set(used.filter((_, index) => index % 3 === at))];
  return { accounts: [...new Set(rows.map(({ name }) => name))], vaults: every(1), keys: every(2) };
}

/** A version as a table shows it: enough of it to tell two apart. */
function shortVersion(version: string | undefined): Cell {
  return version === undefined ? undefined : { full: version, short: version.slice(0, 8) };
}

/** `3 UpToDate, 2 StaleKeyVersion`. */
function summaryOf(rows: readonly FleetRow[]): string {
  const counts = new Map<string, number>();
  for (const { state } of rows) counts.set(state, (counts.get(state) ?? 0) + 1);
  const parts = [...counts].sort(([, a], [, b]) => b - a).map(([state, number]) => `${number} ${state}`);
  return parts.length === 0 ? 'nothing' : parts.join(', ');
}

function sorted(rows: readonly FleetRow[], by: Sort): readonly FleetRow[] {
  // They come sorted by account, and sorting keeps the order of what is alike.
  if (by === 'account') return rows;
  const field = by === 'resource-group' ? 'resourceGroup' : by;
  return [...rows].sort((a, b) => (a[field] ?? '').localeCompare(b[field] ?? ''));
}

import type { Command } from 'commander';
import { lastName } from '../../azure/resource-id.ts';
import { HEALTH_STATES, type HealthState } from '../../fleet/health-states.ts';
import { nameOfIdentifier } from '../../keys/key-identifier.ts';
import type { AppApi } from '../../operations/app-api.ts';
import { inShort } from '../../time/duration.ts';
import type { FleetAccountAnswer, FleetListAnswer, FleetRowAnswer } from '../../views/fleet-schemas.ts';
import { appOrItsStorage, BY_APP_OR_STORAGE } from '../app-of-environment.ts';
import type { Cli, GlobalOptions } from '../cli.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { choice, watching } from '../options.ts';
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
  readonly freshness: FleetListAnswer['freshness'];
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

/** `account list` and `account show`, of the fleet as the app knows it. */
export function addAccountViews(account: Command, cli: Cli): void {
  watching(account.command('list'))
    .description('every account that the app knows: its key, mode and version, and its health')
    .option('--all', 'accounts with Microsoft-managed keys too, that no check expects a key of')
    .option('--key <key...>', 'those that use this key: <key>, <vault>/<key> or an identifier')
    .option('--vault <vault...>', 'those that use a key of this vault')
    .option('-g, --resource-group <group...>', 'those in this resource group')
    .option('--tag <name=value...>', 'those with this tag; a name alone: with any value')
    .addOption(choice('--health <state...>', 'those in this state', HEALTH_STATES))
    .option('--cause <cause...>', 'those with this cause: a reason code, or as the table has it')
    .addOption(choice('--sort <column>', 'what to sort by', SORTS).default('account'))
    .addHelpText('after', BY_APP_OR_STORAGE)
    .action(async (options: FleetArguments, command: Command) => {
      const { all = false, sort, key, vault, resourceGroup, tag, health, cause } = options;
      const { subscription: one } = command.optsWithGlobals<GlobalOptions>();
      const subscription = one === undefined ? undefined : [one];
      const query = queryOfList({ key, vault, resourceGroup, tag, subscription, health, cause }, all);
      const app = await appOrItsStorage(cli, command);
      let now = new Date(0);
      await cli.look(
        command,
        async ({ azure }) => {
          const found = await readFleet(query, app);
          now = azure.now();
          return { ...found, rows: sorted(found.rows, sort) };
        },
        (found, output) => showFleet(found, output, now),
      );
    });
  watching(account.command('show'))
    .argument('<account>', 'name or ARM id of the storage account')
    .description('one account as the app knows it: key, identity, scopes and findings')
    .addHelpText('after', BY_APP_OR_STORAGE)
    .action(async (name: string, _options: unknown, command: Command) => {
      const { FLEET_ACCOUNT } = await import('../../views/fleet-schemas.ts');
      const app = await appOrItsStorage(cli, command);
      const path = `/fleet/${encodeURIComponent(lastName(name))}`;
      await cli.look(command, () => app.get(path, FLEET_ACCOUNT), showAccount);
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
  const { pagesOf } = await import('../../operations/app-api.ts');
  const rows: FleetRow[] = [];
  let about: Omit<Fleet, 'rows'> | undefined;
  for await (const { value, summary, freshness, warnings } of pagesOf(app, `/fleet?${query}`, FLEET_LIST)) {
    about = { summary, freshness, unread: warnings };
    for (const { id, health, name, subscription, resourceGroup, region, tags, key, mode, version } of value) {
      const { state, ...why } = health;
      const row = { account: id, name, subscription, resourceGroup, region, tags, key, mode, version };
      rows.push({ ...row, health: state, ...why });
    }
  }
  return { ...(about as Omit<Fleet, 'rows'>), rows };
}

function showFleet({ summary, freshness, rows, unread }: Fleet, output: Output, now: Date): ExitCode {
  if (output.format === 'terminal') {
    const by = freshness.check
      ? ` and the drift check of ${freshness.check.startedOn}`
      : '; no drift check has run yet';
    output.text(`${summary.text}.`);
    output.text(`By the fleet index${by}.`);
  }
  output.list<FleetRow>(
    [
      ['ACCOUNT', ({ name }) => name],
      ['KEY', ({ key }) => key && (nameOfIdentifier(key) ?? key)],
      'mode',
      ['VERSION', ({ version }) => shortVersion(version)],
      'health',
      ['SINCE', ({ since }) => since && { full: since, short: inShort((now.getTime() - Date.parse(since)) / 1_000) }],
      ['CAUSE', ({ cause }) => cause && (cause.label === '' ? cause.reason : `${cause.reason} (${cause.label})`)],
      'region',
      ['RESOURCE GROUP', ({ resourceGroup }) => resourceGroup, 'wide'],
      ['SUBSCRIPTION', ({ subscription }) => subscription, 'wide'],
      [
        'TAGS',
        ({ tags }) =>
          Object.entries(tags)
            .map((tag) => tag.join('='))
            .join(' '),
        'wide',
      ],
    ],
    rows,
  );
  for (const text of unread) output.note(text);
  return unread.length > 0 ? EXIT.incomplete : EXIT.ok;
}

function showAccount(account: FleetAccountAnswer, output: Output): ExitCode {
  const { health, key, mode, version, pinned, current, identity, scopeUses, findings } = account;
  const cause = health.cause && `${health.cause.reason}${health.cause.label === '' ? '' : ` (${health.cause.label})`}`;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['id', account.id],
    ['region', account.region],
    ['health', [health.state, cause, health.since && `since ${health.since}`].filter(Boolean).join(', ')],
    ['key', key ?? 'Microsoft-managed'],
    ['mode', mode],
    ['version', current ?? version ?? pinned],
    ['identity', identity],
    ['last read', account.lastRead],
    ['last checked', account.lastChecked],
  ];
  output.facts(facts, account);
  if (output.isRows) return EXIT.ok;
  const scopes = scopeUses.map((use) => [use.scope, use.key && nameOfIdentifier(use.key), use.mode, use.version]);
  if (scopes.length > 0) output.table(['SCOPE', 'KEY', 'MODE', 'VERSION'], scopes);
  for (const { severity, reason, is, fix, command } of findings) {
    output.note(`${severity} ${reason}: ${is} ${command ?? fix}`);
  }
  for (const text of account.warnings) output.note(text);
  return EXIT.ok;
}

/** A version as a table shows it: enough of it to distinguish two. */
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

import { getLastName } from '../../azure/resource-id.ts';
import { formatShortSpan } from '../../formats/duration.ts';
import { formatIdentifier } from '../../keys/key-identifier.ts';
import {
  FLEET_ACCOUNT,
  FLEET_LIST,
  type FleetAccountAnswer,
  type FleetListAnswer,
  type FleetRowAnswer,
} from '../../status/fleet-schemas.ts';
import { HEALTH_STATES, type HealthState } from '../../status/health-states.ts';
import { type AppApi, readPages } from '../procedures/app-api.ts';
import type { CmkCommand } from '../terminal/command.ts';
import { createChoice } from '../terminal/options.ts';
import type { Output } from '../terminal/output.ts';

/** Options of `account list` with the names of the API's parameters. */
const FILTERS = ['key', 'vault', 'resourceGroup', 'subscription', 'tag', 'health', 'cause'] as const;
type Filters = Partial<Record<(typeof FILTERS)[number], string | string[]>> & { readonly all?: boolean };

/** An account in the list: its ARM id, and its health in the row itself. */
type FleetRow = Omit<FleetRowAnswer, 'health'> &
  Omit<FleetRowAnswer['health'], 'state'> & { readonly account: string; readonly health: HealthState };

interface Fleet extends Pick<FleetListAnswer, 'summary' | 'freshness'> {
  readonly rows: readonly FleetRow[];
  /** Failed reads, one sentence each. */
  readonly unread: readonly string[];
}

export function addAccountViews(account: CmkCommand): void {
  account
    .command('list')
    .description('accounts in the fleet index of the app, with key, mode, version and health')
    .option('--all', 'include accounts on Microsoft-managed keys that need no customer-managed key')
    .option('--key <key...>', 'only accounts that use this key: <key>, <vault>/<key> or an identifier')
    .option('--vault <vault...>', 'only accounts that use a key of this vault')
    .option('-g, --resource-group <group...>', 'only accounts in this resource group')
    .option('--tag <name=value...>', 'only accounts with this tag; a name alone matches any value')
    .addOption(createChoice('--health <state...>', 'only accounts in this state', HEALTH_STATES))
    .option('--cause <cause...>', 'only accounts with this cause: a reason code, or its text in the table')
    .readsApp(({ app }, filters: Filters) => readFleet(filters, app), showFleet);

  account
    .command('show')
    .argument('<account>', 'name or ARM id of the storage account')
    .description('one account in the fleet index: key, identity, scopes and findings')
    .readsApp(async ({ app }, _, name) => {
      return app.get(`/fleet/${encodeURIComponent(getLastName(name))}`, FLEET_ACCOUNT);
    }, showAccount);
}

/** Reads the fleet, worst health first. @throws {@link CmkError} with the app's message */
async function readFleet({ all = false, ...filters }: Filters, app: AppApi): Promise<Fleet> {
  const query = new URLSearchParams({ top: '1000', all: String(all) });

  for (const name of FILTERS) {
    for (const value of [filters[name] ?? []].flat()) query.append(name, value);
  }

  const pages = await Array.fromAsync(readPages(app, `/fleet?${query}`, FLEET_LIST));
  const { summary, freshness, warnings: unread } = pages.at(-1) as FleetListAnswer;
  const seen = pages.flatMap(({ value }) => value);
  const rows = seen.map(({ health: { state, ...why }, ...row }) => ({
    ...row,
    account: row.id,
    health: state,
    ...why,
  }));

  const rank = ({ health }: FleetRow): number => HEALTH_STATES.indexOf(health);

  return { summary, freshness, unread, rows: rows.sort((a, b) => rank(a) - rank(b)) };
}

/** Names the sources of the accounts' health. */
export function describeHealthSources(check: { readonly startedOn: string } | undefined, now: Date): string {
  const known = check ? ` and the drift check of ${formatAge(check.startedOn, now)}` : '; no drift check has run yet';

  return `By the fleet index${known}.`;
}

/** `2026-12-03T04:44:30.826Z (30h ago)`. @param time ISO 8601 */
export function formatAge(time: string, now: Date): string {
  return `${time} (${formatShortSpan((now.getTime() - Date.parse(time)) / 1_000)} ago)`;
}

function showFleet({ summary, freshness, rows, unread }: Fleet, output: Output): void {
  if (output.format === 'terminal') {
    output.text(`${summary.text}.`);
    output.text(describeHealthSources(freshness.check, new Date()));
  }

  output.list<FleetRow>(
    [
      ['ACCOUNT', ({ name }) => name],
      ['KEY', keyOf],
      'mode',
      ['VERSION', ({ version }) => version && { full: version, short: version.slice(0, 8) }],
      'health',
      [
        'SINCE',
        ({ since }) => since && { full: since, short: formatShortSpan((Date.now() - Date.parse(since)) / 1_000) },
      ],
      ['CAUSE', causeOf],
      'region',
      ['RESOURCE GROUP', ({ resourceGroup }) => resourceGroup, 'wide'],
      ['SUBSCRIPTION', ({ subscription }) => subscription, 'wide'],
      ['TAGS', tagsOf, 'wide'],
    ],
    rows,
  );

  output.problems(unread);
}

function showAccount(account: FleetAccountAnswer, output: Output): void {
  const { health, key, mode, version, pinned, current, identity, scopeUses, findings } = account;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['id', account.id],
    ['region', account.region],
    ['health', [health.state, causeOf(health), health.since && `since ${health.since}`].filter(Boolean).join(', ')],
    ['key', key ?? 'Microsoft-managed'],
    ['mode', mode],
    ['version', current ?? version ?? pinned],
    ['identity', identity],
    ['last read', account.lastRead],
    ['last checked', account.lastChecked],
  ];

  output.facts(facts, account);

  if (output.isRows) return;
  if (scopeUses.length > 0) output.list<ScopeUse>(['scope', ['KEY', keyOf], 'mode', 'version'], scopeUses);

  output.notes(
    findings.map(({ severity, reason, is, fix, command }) => `${severity} ${reason}: ${is} ${command ?? fix}`),
  );
  output.notes(account.warnings);
}

type ScopeUse = FleetAccountAnswer['scopeUses'][number];

function keyOf({ key }: Pick<FleetRowAnswer, 'key'>): string | undefined {
  return key && (formatIdentifier(key) ?? key);
}

function causeOf({ cause }: Pick<FleetRow, 'cause'>): string | undefined {
  return cause && (cause.label === '' ? cause.reason : `${cause.reason} (${cause.label})`);
}

function tagsOf({ tags }: FleetRow): string {
  const pairs = Object.entries(tags).map(([name, value]) => `${name}=${value}`);
  return pairs.join(' ');
}

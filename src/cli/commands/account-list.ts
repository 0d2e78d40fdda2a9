import type { Command } from 'commander';
import { lastName } from '../../azure/resource-id.ts';
import { HEALTH_STATES, type HealthState } from '../../fleet/health-states.ts';
import { nameOfIdentifier } from '../../keys/key-identifier.ts';
import type { AppApi } from '../../operations/app-api.ts';
import { inShort } from '../../time/duration.ts';
import type { FleetAccountAnswer, FleetListAnswer, FleetRowAnswer } from '../../views/fleet-schemas.ts';
import { reading } from '../app-of-environment.ts';
import type { Cli, GlobalOptions } from '../cli.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { choice } from '../options.ts';
import type { Output } from '../output.ts';

/** An account in the list. */
interface FleetRow extends Omit<FleetRowAnswer, 'health'> {
  /** ARM id. */
  readonly account: string;
  readonly health: HealthState;
  /** Cause, unless the account serves. */
  readonly cause?: FleetRowAnswer['health']['cause'];
  /** Start of this health state, if known (ISO 8601). */
  readonly since?: string | undefined;
}

interface Fleet {
  readonly summary: FleetListAnswer['summary'];
  readonly freshness: FleetListAnswer['freshness'];
  readonly rows: readonly FleetRow[];
  /** Failed reads, one sentence each. */
  readonly unread: readonly string[];
}

/** Adds `account list` and `account show`, which read the app's fleet index. */
export function addAccountViews(account: Command, cli: Cli): void {
  const list = account
    .command('list')
    .description('accounts in the fleet index of the app, with key, mode, version and health')
    .option('--all', 'include accounts on Microsoft-managed keys that need no customer-managed key')
    .option('--key <key...>', 'only accounts that use this key: <key>, <vault>/<key> or an identifier')
    .option('--vault <vault...>', 'only accounts that use a key of this vault')
    .option('-g, --resource-group <group...>', 'only accounts in this resource group')
    .option('--tag <name=value...>', 'only accounts with this tag; a name alone matches any value')
    .addOption(choice('--health <state...>', 'only accounts in this state', HEALTH_STATES))
    .option('--cause <cause...>', 'only accounts with this cause: a reason code, or its text in the table');
  reading(list, cli, (app) => readFleet(list, app), showFleet);
  const show = account
    .command('show')
    .argument('<account>', 'name or ARM id of the storage account')
    .description('one account in the fleet index: key, identity, scopes and findings');
  const readOne = async (app: AppApi): Promise<FleetAccountAnswer> => {
    const { FLEET_ACCOUNT } = await import('../../views/fleet-schemas.ts');
    return app.get(`/fleet/${encodeURIComponent(lastName(show.args[0] ?? ''))}`, FLEET_ACCOUNT);
  };
  reading(show, cli, readOne, showAccount);
}

/** Reads the fleet, worst health first. @throws {@link CmkError} with the app's message */
async function readFleet(command: Command, app: AppApi): Promise<Fleet> {
  const query = new URLSearchParams({ top: '1000', all: 'false' });
  const { watch: _, ...filters } = command.opts();
  const { subscription } = command.optsWithGlobals<GlobalOptions>();
  for (const [name, given] of Object.entries<boolean | string | string[] | undefined>({ ...filters, subscription })) {
    if (typeof given === 'boolean') query.set(name, String(given));
    else for (const value of [given ?? []].flat()) query.append(name, value);
  }
  const { FLEET_LIST } = await import('../../views/fleet-schemas.ts');
  const { pagesOf } = await import('../../operations/app-api.ts');
  const rows: FleetRow[] = [];
  let about: Omit<Fleet, 'rows'> | undefined;
  for await (const { value, summary, freshness, warnings } of pagesOf(app, `/fleet?${query}`, FLEET_LIST)) {
    about = { summary, freshness, unread: warnings };
    rows.push(
      ...value.map(({ health: { state, ...why }, ...row }) => ({ ...row, account: row.id, health: state, ...why })),
    );
  }
  const rank = ({ health }: FleetRow): number => HEALTH_STATES.indexOf(health);
  return { ...(about as Omit<Fleet, 'rows'>), rows: rows.sort((a, b) => rank(a) - rank(b)) };
}

/** Names the sources of the accounts' health. */
export function byIndexAnd(check: { readonly startedOn: string } | undefined): string {
  return `By the fleet index${check ? ` and the drift check of ${check.startedOn}` : '; no drift check has run yet'}.`;
}

function showFleet({ summary, freshness, rows, unread }: Fleet, output: Output): ExitCode {
  if (output.format === 'terminal') {
    output.text(`${summary.text}.`);
    output.text(byIndexAnd(freshness.check));
  }
  output.list<FleetRow>(
    [
      ['ACCOUNT', ({ name }) => name],
      ['KEY', keyOf],
      'mode',
      ['VERSION', ({ version }) => version && { full: version, short: version.slice(0, 8) }],
      'health',
      ['SINCE', ({ since }) => since && { full: since, short: inShort((Date.now() - Date.parse(since)) / 1_000) }],
      ['CAUSE', causeOf],
      'region',
      ['RESOURCE GROUP', ({ resourceGroup }) => resourceGroup, 'wide'],
      ['SUBSCRIPTION', ({ subscription }) => subscription, 'wide'],
      ['TAGS', tagsOf, 'wide'],
    ],
    rows,
  );
  for (const text of unread) output.note(text);
  return unread.length > 0 ? EXIT.incomplete : EXIT.ok;
}

function showAccount(account: FleetAccountAnswer, output: Output): ExitCode {
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
  if (output.isRows) return EXIT.ok;
  if (scopeUses.length > 0) output.list<ScopeUse>(['scope', ['KEY', keyOf], 'mode', 'version'], scopeUses);
  for (const { severity, reason, is, fix, command } of findings) {
    output.note(`${severity} ${reason}: ${is} ${command ?? fix}`);
  }
  for (const text of account.warnings) output.note(text);
  return EXIT.ok;
}

type ScopeUse = FleetAccountAnswer['scopeUses'][number];

function keyOf({ key }: Pick<FleetRowAnswer, 'key'>): string | undefined {
  return key && (nameOfIdentifier(key) ?? key);
}

function causeOf({ cause }: FleetRowAnswer['health'] | FleetRow): string | undefined {
  return cause && (cause.label === '' ? cause.reason : `${cause.reason} (${cause.label})`);
}

function tagsOf({ tags }: FleetRow): string {
  const pairs = Object.entries(tags).map(([name, value]) => `${name}=${value}`);
  return pairs.join(' ');
}

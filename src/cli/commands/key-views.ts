import { type Command, Option } from 'commander';
import type { AppApi } from '../../operations/app-api.ts';
import { count } from '../../text.ts';
import type { KeySummary } from '../../views/key-schemas.ts';
import { appIfKnown, reading } from '../app-of-environment.ts';
import type { Cli } from '../cli.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { choice } from '../options.ts';
import type { Column, Output } from '../output.ts';
import type { ReadKeys, UsedKeyStatus } from '../read-keys.ts';
import { sinceOf } from './rotation.ts';

const STATES = ['usable', 'revoked', 'disabled', 'notYetActive', 'expired', 'missing', 'unknown'] as const;

/** Option that limits a list of keys to vaults. */
export const OF_VAULTS = (): Option =>
  new Option('--vault <vault...>', 'only keys of this vault').default([], 'all vaults');

export function addKeyList(key: Command, cli: Cli): void {
  const list = key
    .command('list')
    .description('every key of the vaults: state, newest version, expiry, next rotation and number of users')
    .addOption(OF_VAULTS())
    .addOption(choice('--state <state...>', 'only keys in this state', STATES));
  const read = async (app: AppApi): Promise<ReadKeys> => {
    const { readKeys } = await import('../read-keys.ts');
    const { vault, state } = list.opts<{ vault: string[]; state?: string[] }>();
    const { keys, unread } = await readKeys(vault, app);
    return { keys: keys.filter((one) => state === undefined || state.includes(one.state)), unread };
  };
  reading(list, cli, read, showKeys);
}

function showKeys({ keys, unread }: ReadKeys, output: Output): ExitCode {
  output.list<KeySummary>(
    [
      ['KEY', ({ vault, name }) => `${vault}/${name}`],
      'state',
      ['NEWEST', ({ newest }) => newest && { full: newest.version, short: newest.version.slice(0, 8) }],
      ['CREATED', ({ newest }) => day(newest?.createdOn)],
      ['EXPIRES', ({ expiresOn }) => day(expiresOn)],
      ['NEXT ROTATION', nextOf],
      ['ACCOUNTS', ({ users }) => users?.accounts],
      ['SCOPES', ({ users }) => users?.scopes],
      ['PAUSED', ({ paused }) => paused?.reason],
    ],
    keys,
  );
  for (const text of unread) output.note(text);
  return unread.length > 0 ? EXIT.incomplete : EXIT.ok;
}

function nextOf({ nextRotation }: KeySummary): string | undefined {
  return nextRotation && (nextRotation.on ? `${nextRotation.on.slice(0, 10)} (${nextRotation.by})` : nextRotation.by);
}

function day(time: string | undefined): { full: string; short: string } | undefined {
  return time === undefined ? undefined : { full: time, short: time.slice(0, 10) };
}

const BY_APP = `
It calls the API of the app (CMK_API, CMK_API_AUDIENCE). If that is not set or
does not answer, it reads the app's storage (AzureWebJobsStorage__accountName,
CMK_VAULTS), with the roles Storage Table and Storage Blob Data Reader; without
the storage, only Key Vault.`;

export function addKeyShow(command: Command, cli: Cli): void {
  command
    .description('its versions with their users, an open revocation and a pause')
    .addHelpText('after', BY_APP)
    .action(async (name: string) => {
      const { keyStatusOf } = await import('../read-keys.ts');
      const key = await cli.key(name, command);
      const app = await appIfKnown(cli, command);
      await cli.read(command, ({ azure }) => keyStatusOf(key, cli.environment, { azure, app }), showStatus);
    });
}

type ShownVersion = UsedKeyStatus['versions'][number];

/** Shows a key's status as a table. */
function showStatus(status: UsedKeyStatus, output: Output): ExitCode {
  const { key, versions, revocation, paused, dependents, usage, warnings } = status;
  output.text(key);
  if (revocation)
    output.text(`REVOKED on ${revocation.revokedOn} by ${revocation.revokedBy}, revocation ${revocation.id}`);
  if (paused) output.text(`Paused ${sinceOf(paused)}`);
  for (const text of warnings) output.note(text);
  const asked: readonly Column<ShownVersion>[] = usage
    ? [['LAST ASKED', ({ version }) => lastAsked(usage, version)]]
    : [];
  output.list<ShownVersion>(
    [
      'version',
      ['STATE', ({ state, revoked }) => (revoked ? `${state}, revoked` : state)],
      ['CREATED', ({ createdOn }) => createdOn],
      ['EXPIRES', ({ expiresOn }) => expiresOn],
      ['USED BY', ({ usedBy }) => usedBy.join(' ') || undefined],
      ...asked,
    ],
    versions,
  );
  if (usage) output.note(reachOf(usage));
  const unnamed = usage && lastAsked(usage, undefined);
  if (unnamed) output.note(`Last request without a version: ${unnamed}.`);
  for (const { what, detail } of dependents.unread) {
    output.note(`The list may be incomplete: ${what} could not be read. ${detail}`);
  }
  return dependents.unread.length > 0 ? EXIT.incomplete : EXIT.ok;
}

type Usage = NonNullable<UsedKeyStatus['usage']>;

/** Last request in the log: `unwrap 2026-… by <object id>`; undefined: none. */
function lastAsked({ versions }: Usage, version: string | undefined): string | undefined {
  const { wrapped, unwrapped, other } = versions.find((one) => one.version === version) ?? {};
  const asked = Object.entries({ wrap: wrapped, unwrap: unwrapped, other }).flatMap(([what, last]) =>
    last ? [{ what, ...last }] : [],
  );
  const [latest] = asked.sort((a, b) => (a.on < b.on ? 1 : -1));
  return latest && `${latest.what} ${latest.on} by ${latest.objectId ?? latest.appId ?? 'unknown'}`;
}

/** Period of the log: without it an empty column proves nothing. */
function reachOf({ trackedSince, trackedUntil, gaps = [], unread }: Usage): string {
  if (unread !== undefined) return `The last user of the key is unknown: ${unread}`;
  if (!trackedSince) return 'The log has no entries of the vault: the users of the key are unknown.';
  const [gap] = gaps;
  const without = gap ? `, without ${count(gaps.length, 'time')}, the last from ${gap.from} to ${gap.to}` : '';
  return `According to the log of the vault, from ${trackedSince} to ${trackedUntil}${without}.`;
}

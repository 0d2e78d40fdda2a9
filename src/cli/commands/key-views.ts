import type { AppApi } from '../../operations/app-api.ts';
import { count } from '../../text.ts';
import type { KeySummary } from '../../views/key-schemas.ts';
import type { CmkCommand } from '../command.ts';
import { choice } from '../options.ts';
import type { Column, Output } from '../output.ts';
import type { ReadKeys, UsedKeyStatus } from '../read-keys.ts';
import { sinceOf } from './rotation.ts';

const STATES = ['usable', 'revoked', 'disabled', 'notYetActive', 'expired', 'missing', 'unknown'] as const;

/** Arguments of the option that limits a list of keys to vaults. */
export const KEYS_OF = ['only keys of this vault', 'all vaults'] as const;

export function addKeyList(key: CmkCommand): void {
  key
    .command('list')
    .description('every key of the vaults: state, newest version, expiry, next rotation and number of users')
    .ofVaults(...KEYS_OF)
    .addOption(choice('--state <state...>', 'only keys in this state', STATES))
    .readsApp(async ({ app }, { vault, state }: { vault: string[]; state?: string[] }) => {
      const { readKeys } = await import('../read-keys.ts');
      const { keys, unread } = await readKeys(vault, app);
      return { keys: keys.filter((one) => state === undefined || state.includes(one.state)), unread };
    }, showKeys);
}

function showKeys({ keys, unread }: ReadKeys, output: Output): void {
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
  output.unread(unread);
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

export function addKeyShow(command: CmkCommand): void {
  const { cli } = command;
  let app: Promise<AppApi | undefined> | undefined;
  command
    .description('its versions with their users, an open revocation and a pause')
    .addHelpText('after', BY_APP)
    .reads(async ({ azure }, _, name) => {
      const { appIfKnown } = await import('../app-of-environment.ts');
      const { keyStatusOf } = await import('../read-keys.ts');
      app ??= appIfKnown(cli);
      return keyStatusOf(await cli.key(name), cli.environment, { azure, app: await app });
    }, showStatus);
}

type ShownVersion = UsedKeyStatus['versions'][number];

function showStatus(status: UsedKeyStatus, output: Output): void {
  const { key, versions, revocation, paused, dependents, usage, warnings } = status;
  output.text(key);
  if (revocation)
    output.text(`REVOKED on ${revocation.revokedOn} by ${revocation.revokedBy}, revocation ${revocation.id}`);
  if (paused) output.text(`Paused ${sinceOf(paused)}`);
  output.notes(warnings);
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
  if (usage) output.notes([reachOf(usage)]);
  const unnamed = usage && lastAsked(usage, undefined);
  if (unnamed) output.notes([`Last request without a version: ${unnamed}.`]);
  output.unread(
    dependents.unread.map(({ what, detail }) => `The list may be incomplete: ${what} could not be read. ${detail}`),
  );
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

import { type Command, Option } from 'commander';
import { count } from '../../text.ts';
import type { KeySummary } from '../../views/key-schemas.ts';
import { appIfKnown, BY_APP_OR_STORAGE } from '../app-of-environment.ts';
import type { Cli } from '../cli.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { choice, watching } from '../options.ts';
import type { Column, Output } from '../output.ts';
import type { ReadKeys, UsedKeyStatus } from '../read-keys.ts';

const STATES = ['usable', 'revoked', 'disabled', 'notYetActive', 'expired', 'missing', 'unknown'] as const;

/** What a list of keys is narrowed by. */
export const OF_VAULTS = (): Option =>
  new Option('--vault <vault...>', 'those of this vault').default([], 'all vaults');

export function addKeyList(key: Command, cli: Cli): void {
  watching(key.command('list'))
    .description('every key of the vaults: state, newest version, expiry, next rotation, and how many use it')
    .addOption(OF_VAULTS())
    .addOption(choice('--state <state...>', 'those in this state', STATES))
    .addHelpText('after', `${BY_APP_OR_STORAGE}\nWith neither, Key Vault is asked on your sign-in.`)
    .action(async ({ vault, state }: { vault: string[]; state?: string[] }, command: Command) => {
      const { keyReader } = await import('../read-keys.ts');
      const read = await keyReader(vault, cli, command);
      await cli.look(
        command,
        async ({ azure }) => {
          const found = await read(azure);
          return { ...found, keys: found.keys.filter((one) => state === undefined || state.includes(one.state)) };
        },
        showKeys,
      );
    });
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
The app is asked (CMK_API, CMK_API_AUDIENCE). Where it is not named or does not
answer, the same is read on your sign-in. Whether the key is paused, how far its
rotation is, and how long revocations and restores took to show, is in the app's
storage then (AzureWebJobsStorage__accountName, CMK_VAULTS), with the roles
Storage Table and Storage Blob Data Reader.`;

export function addKeyShow(command: Command, cli: Cli): void {
  command
    .description('its versions, who uses which, an open revocation and a pause')
    .addHelpText('after', BY_APP)
    .action(async (name: string) => {
      const { keyStatusOf } = await import('../read-keys.ts');
      const key = await cli.key(name, command);
      const app = await appIfKnown(cli, command);
      await cli.look(command, ({ azure }) => keyStatusOf(key, cli.environment, { azure, app }), showStatus);
    });
}

type ShownVersion = UsedKeyStatus['versions'][number];

/** A key's status as a table. */
function showStatus(status: UsedKeyStatus, output: Output): ExitCode {
  const { key, versions, revocation, paused, dependents, usage, warnings } = status;
  output.text(key);
  if (revocation) output.text(`REVOKED on ${revocation.revokedOn} by ${revocation.revokedBy}`);
  if (paused)
    output.text(`Paused since ${paused.since}${paused.until ? ` until ${paused.until}` : ''}: ${paused.reason}`);
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
  if (usage) showReach(usage, output);
  showTimes(status, output);
  for (const { what, detail } of dependents.unread) {
    output.note(`There may be more: ${what} could not be read. ${detail}`);
  }
  return dependents.unread.length > 0 ? EXIT.incomplete : EXIT.ok;
}

type Usage = NonNullable<UsedKeyStatus['usage']>;

/** The last request by the log: `unwrap 2026-… by <object id>`; undefined: none. */
function lastAsked({ versions }: Usage, version: string | undefined): string | undefined {
  const found = versions.find((one) => one.version === version);
  const { wrapped, unwrapped, other } = found ?? {};
  const asked = [
    { what: 'wrap', last: wrapped },
    { what: 'unwrap', last: unwrapped },
    { what: 'other', last: other },
  ].flatMap(({ what, last }) => (last ? [{ what, ...last }] : []));
  const [latest] = asked.sort((a, b) => (a.on < b.on ? 1 : -1));
  return latest && `${latest.what} ${latest.on} by ${latest.objectId ?? latest.appId ?? 'unknown'}`;
}

/** How far the log reaches, without which "none" means nothing. */
function showReach(usage: Usage, output: Output): void {
  const { trackedSince, trackedUntil, gaps = [], unread } = usage;
  const note = (text: string): void => output.note(text);
  if (unread !== undefined) note(`Who asked for it last is not known: ${unread}`);
  else if (!trackedSince) note('The vault has no entries in the log: who used the key is not known.');
  else note(`By the log of the vault, which has entries from ${trackedSince} to ${trackedUntil}.`);
  const [gap] = gaps;
  if (gap) {
    const which = gaps.length > 1 ? `${gaps.length} gaps, the last one` : 'a gap';
    note(`That log has ${which} from ${gap.from} to ${gap.to}: it may have been off.`);
  }
  const unnamed = lastAsked(usage, undefined);
  if (unnamed) note(`Without naming a version: ${unnamed}.`);
}

const DATA = { file: 'Files', blob: 'Blobs' } as const;
const SHOWN = { blocked: 'refused after a revocation', open: 'served after a restore' } as const;

/** How long that took so far. Azure promises no time: these are measurements, and are shown as such. */
function showTimes({ effectTimes }: UsedKeyStatus, output: Output): void {
  const note = (text: string): void => output.note(text);
  for (const one of effectTimes ?? []) {
    const { expect, measured, notSeen, accounts, changes, since, followedSeconds = 0 } = one;
    const within = [
      ['half', one.p50Seconds],
      ['95 in 100', one.p95Seconds],
    ].map(
      ([share, seconds]) => `${share} ${seconds === undefined ? 'not known' : `within ${inSeconds(Number(seconds))}`}`,
    );
    const never = notSeen > 0 ? `; ${notSeen} not within ${inSeconds(followedSeconds)}` : '';
    const from = `${measured} measured, ${count(accounts, 'account')}, ${count(changes, 'change')} since ${since}`;
    note(`${DATA[one.service]} are ${SHOWN[expect]}: ${within.join(', ')} (${from}${never}).`);
  }
}

function inSeconds(seconds: number): string {
  return `${Math.ceil(seconds)} s`;
}

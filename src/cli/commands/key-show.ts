import { formatCount } from '../../formats/text.ts';
import type { ViewedApp } from '../terminal/app-of-environment.ts';
import type { CmkCommand } from '../terminal/command.ts';
import type { Column, Output } from '../terminal/output.ts';
import type { UsedKeyStatus } from './key-status.ts';
import { formatPause } from './rotation.ts';

const BY_APP = `
It calls the API of the app (CMK_API, CMK_API_AUDIENCE). If that is not set or
does not answer, it reads the app's storage (AzureWebJobsStorage__accountName,
CMK_VAULTS), with the roles Storage Table and Storage Blob Data Reader; without
the storage, only Key Vault.`;

export function addKeyShow(command: CmkCommand): void {
  const { cli } = command;
  let app: ViewedApp | undefined;
  command
    .description('its versions with their users, an open revocation and a pause')
    .addHelpText('after', BY_APP)
    .reads(async ({ azure }, _, name) => {
      const { findApp } = await import('../terminal/app-of-environment.ts');
      const { readKeyStatusAnywhere } = await import('./key-status.ts');
      app ??= await findApp(cli);
      app?.begin();
      return readKeyStatusAnywhere(await cli.key(name), cli.environment, { azure, app });
    }, showStatus);
}

type ShownVersion = UsedKeyStatus['versions'][number];

function showStatus(status: UsedKeyStatus, output: Output): void {
  const { key, versions, revocation, paused, dependents, usage, warnings } = status;

  output.text(key);

  if (revocation) {
    output.text(`REVOKED on ${revocation.revokedOn} by ${revocation.revokedBy}, revocation ${revocation.id}`);
  }
  if (paused) output.text(`Paused ${formatPause(paused)}`);

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

  if (dependents.asOf) output.notes([`Users as the index knew at ${dependents.asOf}.`]);
  if (usage) output.notes([reachOf(usage)]);

  const unnamed = usage && lastAsked(usage, undefined);
  if (unnamed) output.notes([`Last request without a version: ${unnamed}.`]);

  output.problems(
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
  const without = gap ? `, without ${formatCount(gaps.length, 'time')}, the last from ${gap.from} to ${gap.to}` : '';
  return `According to the log of the vault, from ${trackedSince} to ${trackedUntil}${without}.`;
}

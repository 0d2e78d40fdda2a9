import type { KeyStatus } from '../../operations/key/key-status.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Output } from '../output.ts';

/** A key's status as a table. */
export function showStatus(status: KeyStatus, output: Output): ExitCode {
  const { key, versions, revocation, dependents, usage } = status;
  output.text(key);
  if (revocation) output.text(`REVOKED on ${revocation.revokedOn} by ${revocation.revokedBy}`);
  output.table(
    ['VERSION', 'STATE', 'CREATED', 'EXPIRES', 'USED BY', ...(usage ? ['LAST ASKED'] : [])],
    versions.map(({ version, state, revoked, createdOn, expiresOn, usedBy }) => [
      version,
      revoked ? `${state}, revoked` : state,
      createdOn,
      expiresOn,
      usedBy.join(' ') || undefined,
      ...(usage ? [lastAsked(usage, version)] : []),
    ]),
    versions,
  );
  if (usage) showReach(usage, output);
  for (const { what, detail } of dependents.unread) {
    output.entry({ kind: 'note', text: `There may be more: ${what} could not be read. ${detail}` });
  }
  return dependents.unread.length > 0 ? EXIT.incomplete : EXIT.ok;
}

type Usage = NonNullable<KeyStatus['usage']>;

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
  const { trackedSince, trackedUntil, unread } = usage;
  const note = (text: string): void => output.entry({ kind: 'note', text });
  if (unread !== undefined) note(`Who asked for it last is not known: ${unread}`);
  else if (!trackedSince) note('The log has nothing of this vault: who asked for the key is not known.');
  else note(`By the log of the vault, which has entries from ${trackedSince} to ${trackedUntil}.`);
  const unnamed = lastAsked(usage, undefined);
  if (unnamed) note(`Without naming a version: ${unnamed}.`);
}

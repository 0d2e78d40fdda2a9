import { count } from '../../text.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Output } from '../output.ts';
import type { UsedKeyStatus } from '../read-key-status.ts';

/** A key's status as a table. */
export function showStatus(status: UsedKeyStatus, output: Output): ExitCode {
  const { key, versions, revocation, paused, dependents, usage, warnings } = status;
  output.text(key);
  if (revocation) output.text(`REVOKED on ${revocation.revokedOn} by ${revocation.revokedBy}`);
  if (paused)
    output.text(`Paused since ${paused.since}${paused.until ? ` until ${paused.until}` : ''}: ${paused.reason}`);
  for (const text of warnings) output.entry({ kind: 'note', text });
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
  showTimes(status, output);
  for (const { what, detail } of dependents.unread) {
    output.entry({ kind: 'note', text: `There may be more: ${what} could not be read. ${detail}` });
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
  const note = (text: string): void => output.entry({ kind: 'note', text });
  if (unread !== undefined) note(`Who asked for it last is not known: ${unread}`);
  else if (!trackedSince) note('The log has nothing of this vault: who asked for the key is not known.');
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
  const note = (text: string): void => output.entry({ kind: 'note', text });
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

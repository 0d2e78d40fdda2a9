import type { HttpResponseInit } from '@azure/functions';
import type { PartTaken } from '../azure/read-cache.ts';
import type { RouteKey } from '../http/access.ts';
import { contentTag, type HeaderReader, jsonResponse, tagged, tagsHad } from '../http/answers.ts';
import { partContent, partView } from '../http/part.ts';
import type { AnswerContext } from '../http/problem.ts';
import { parseKeyIdentifier } from '../keys/key-identifier.ts';
import { pausedView } from '../orders/standing-orders.ts';
import { fleetSummaryOf } from './fleet-api.ts';
import type { KeySummary } from './key-schemas.ts';
import { MOST_LISTED_NOW, type NowAnswer, type NowParts, type NowValue } from './now-schemas.ts';
import type { NowReadings, TakeReadings } from './read-now.ts';
import { isRotationOpen } from './rotation.ts';

/** What the caller may see. */
interface NowSight extends AnswerContext {
  /** Whether the caller's role reaches a key; without a key, the whole fleet. */
  readonly reaches: (key: RouteKey | undefined) => boolean;
  readonly reachesVault: (vault: string) => boolean;
  readonly now: Date;
  /** @throws {@link HttpProblem} for a role that is narrowed to some keys */
  readonly requireFleet: () => void;
}

/** Characters of the tag of a part. */
const TAG_LENGTH = 11;
/** An unchanged part gets a new tag at each step of its age, so that its age is sent. Milliseconds. */
const AGE_STEP_MS = 30_000;

/** Changes that are listed. */
const CHANGES = 20;

/** A drift report is old after so long, which is also when the alert on a missing check fires. Milliseconds. */
const OLD_MS = 2 * 86_400_000;

interface SeenPart<P extends keyof NowParts> {
  readonly part: NowParts[P];
  readonly tag: string;
}
type SeenParts = { readonly [P in keyof NowParts]: SeenPart<P> };

/** Never throws: a part that could not be read has a problem instead. */
export async function seeParts(take: TakeReadings, sight: NowSight): Promise<SeenParts> {
  const { reaches, requireFleet } = sight;
  // A part that the caller may not see is not read.
  const ofFleet = async <T>(taking: () => Promise<PartTaken<T>>): Promise<PartTaken<T>> => {
    try {
      requireFleet();
      return await taking();
    } catch (error) {
      return { error };
    }
  };
  const [fleet, keys, pauses, rotations, drift] = await Promise.all([
    take.fleet(),
    take.keys(),
    take.pauses(),
    ofFleet(take.rotations),
    ofFleet(take.drift),
  ]);
  const see = <P extends keyof NowReadings>(
    taken: PartTaken<NowReadings[P]>,
    show: (of: NowReadings[P]) => NowValue<P>,
  ) => seen<P>(taken, show, sight);
  const listed = new Set('value' in rotations ? rotations.value.map(({ key }) => key.toLowerCase()) : []);
  return {
    fleet: see<'fleet'>(fleet, (snapshot) => fleetOf(snapshot, reaches)),
    keys: see<'keys'>(keys, (reading) => keysOf(reading, sight, listed)),
    pauses: see<'pauses'>(pauses, (all) => pausesOf(all, reaches)),
    rotations: see<'rotations'>(rotations, (all) => ({ underWay: first(all), moreUnderWay: rest(all) })),
    drift: see<'drift'>(drift, (report) => driftOf(report, sight.now)),
  };
}

function seen<P extends keyof NowReadings>(
  taken: PartTaken<NowReadings[P]>,
  show: (of: NowReadings[P]) => NowValue<P>,
  sight: NowSight,
): SeenPart<P> {
  const part = partView(taken, show, sight);
  const steps = 'ageMs' in taken ? Math.floor(taken.ageMs / AGE_STEP_MS) : 0;
  return { part: part as NowParts[P], tag: contentTag([partContent(part), steps], TAG_LENGTH) };
}

function fleetOf(snapshot: NowReadings['fleet'], reaches: NowSight['reaches']): NowValue<'fleet'> {
  const { text, accounts, listed, subscriptions, states, warnings } = fleetSummaryOf(snapshot, reaches);
  return { text, accounts, listed, subscriptions, states, warnings: first(warnings) };
}

function keysOf(
  { keys, vaults, complete }: NowReadings['keys'],
  { reaches, reachesVault }: NowSight,
  listed: ReadonlySet<string>,
): NowValue<'keys'> {
  const reached = keys.filter(({ vault, name }) => reaches({ vault, key: name }));
  const revoked = reached.flatMap(({ key, vault, name, revocation }) =>
    revocation ? { key, vault, name, revocation } : [],
  );
  const notBegun = reached.flatMap((key) => (listed.has(key.key.toLowerCase()) ? [] : rotationOf(key)));
  return {
    revoked: first(revoked),
    moreRevoked: rest(revoked),
    notBegun: first(notBegun),
    moreNotBegun: rest(notBegun),
    vaultsUnread: vaults.filter(({ vault, unread }) => unread && reachesVault(vault)).length,
    keysUnread: reached.filter(({ state }) => state === 'unknown').length,
    complete,
  };
}

/** A rotation that has no rollout yet, since a pause blocks the first decision. */
function rotationOf({ key, rotation }: KeySummary): NowValue<'keys'>['notBegun'] {
  return rotation && isRotationOpen(rotation) ? [{ ...rotation, key }] : [];
}

function pausesOf(pauses: NowReadings['pauses'], reaches: NowSight['reaches']): NowValue<'pauses'> {
  return pauses.flatMap((pause) => {
    const { key } = pause;
    const names = key === undefined ? undefined : parseKeyIdentifier(key);
    const isReached = key === undefined || (names && reaches({ vault: names.vaultName, key: names.keyName }));
    return isReached ? pausedView(pause) : [];
  });
}

function driftOf(report: NowReadings['drift'], now: Date): NowValue<'drift'> {
  if (!report) return {};
  const { id, startedOn, complete, causes, changeSeconds } = report;
  const open = causes.filter(({ exempt }) => !exempt);
  const exempt = causes.length - open.length;
  const counts = { error: 0, warning: 0, advice: 0 };
  for (const { severity } of open) counts[severity] += 1;
  const old = now.getTime() - Date.parse(startedOn) > OLD_MS ? ({ old: true } as const) : {};
  const changes = { changes: report.changes.slice(0, CHANGES), ...(changeSeconds ? { changeSeconds } : {}) };
  const listed = { causes: first(open), moreCauses: rest(open), exempt };
  return { report: { id, startedOn, complete, counts, ...listed, ...changes, ...old } };
}

function first<T>(all: readonly T[]): T[] {
  return all.slice(0, MOST_LISTED_NOW);
}

function rest(all: readonly unknown[]): number {
  return Math.max(0, all.length - MOST_LISTED_NOW);
}

/**
 * The parts as one answer. Its ETag has a tag for each part, so that a caller with an earlier answer can get only the parts
 * that changed.
 */
export async function showNow(
  { changed = false, headers }: { readonly changed?: boolean; readonly headers: HeaderReader },
  sight: NowSight,
  take: TakeReadings,
): Promise<HttpResponseInit> {
  const seen = await seeParts(take, sight);
  const parts = Object.fromEntries(entriesOf(seen).map(([name, { part }]) => [name, part])) as NowParts;
  const tags = entriesOf(seen).map(([, { tag }]) => tag);
  const sent = changed ? changedOf(seen, tagsHad(headers), tags.length) : parts;
  const answer: NowAnswer = { ...judgeNow(parts), ...sent };
  return tagged(headers, jsonResponse(200, answer), tags.join('.'));
}

/** The parts that differ from the caller's answer, whose tags are in the same order. */
function changedOf(seen: SeenParts, had: readonly string[], parts: number): Partial<NowParts> {
  const before = had.map((tag) => tag.split('.')).find(({ length }) => length === parts) ?? [];
  const changed = entriesOf(seen).filter(([, { tag }], place) => tag !== before[place]);
  return Object.fromEntries(changed.map(([name, { part }]) => [name, part]));
}

type Entry = { readonly [P in keyof SeenParts]: readonly [P, SeenParts[P]] }[keyof SeenParts];

function entriesOf(seen: SeenParts): readonly Entry[] {
  return Object.entries(seen) as unknown as readonly Entry[];
}

const WORDS: Readonly<Record<keyof NowParts, string>> = {
  fleet: 'the fleet',
  keys: 'the keys',
  pauses: 'what is paused',
  rotations: 'the rotations',
  drift: 'the last drift check',
};

/**
 * Summarizes the parts that the caller sees in one line, which never calls healthy what was not read.
 *
 * `good`: healthy; `bad`: data is cut off or will be; `warn`: it needs attention; `none`: not known yet.
 */
export function judgeNow(parts: NowParts): Pick<NowAnswer, 'line' | 'tone'> {
  const all = Object.entries(parts) as [keyof NowParts, NowParts[keyof NowParts]][];
  const isReading = all.some(([, { reading }]) => reading);
  const more = isReading ? ' Not everything has been read yet.' : '';
  const wrong = wrongOf(parts);
  const refused = all.flatMap(([name, { problem }]) =>
    problem && problem.status !== 403 ? `${WORDS[name]} could not be read` : [],
  );
  const unread = [...unreadOf(parts), ...refused];
  const gaps = unread.length > 0 ? ` Not all is known: ${unread.join(', ')}.` : '';
  if (wrong.length > 0) return { tone: 'bad', line: `${wrong.join(', ')}.${gaps}${more}` };
  if (parts.drift.value && !parts.drift.value.report) {
    return { tone: 'none', line: `No drift check has run yet, so health is unknown.${more}` };
  }
  const doubtful = [...doubtsOf(parts), ...unread];
  if (doubtful.length > 0) return { tone: 'warn', line: `Needs attention: ${doubtful.join(', ')}.${more}` };
  if (isReading) return { tone: 'none', line: 'Not everything has been read yet.' };
  const isNarrowed = all.some(([, { problem }]) => problem);
  return { tone: 'good', line: isNarrowed ? 'Healthy, as far as you may see.' : 'Healthy.' };
}

function wrongOf({ fleet, keys, rotations, drift }: NowParts): readonly string[] {
  const { states } = fleet.value ?? {};
  const { revoked = [], moreRevoked = 0, notBegun = [] } = keys.value ?? {};
  const keysRevoked = revoked.length + moreRevoked;
  const stuck = [...(rotations.value?.underWay ?? []), ...notBegun].filter(
    ({ state }) => state === 'stuck' || state === 'held',
  ).length;
  const errors = drift.value?.report?.counts.error ?? 0;
  return [
    keysRevoked ? many(keysRevoked, 'key is revoked', 'keys are revoked') : '',
    // The key itself could not be read, or the caller may not see it.
    states?.Revoked && keysRevoked === 0 ? many(states.Revoked, 'account is revoked', 'accounts are revoked') : '',
    states?.Blocked ? many(states.Blocked, 'account is blocked', 'accounts are blocked') : '',
    states?.NoAccess
      ? many(states.NoAccess, 'account has no access to the key', 'accounts have no access to the key')
      : '',
    stuck ? many(stuck, 'rotation is stuck', 'rotations are stuck') : '',
    errors ? `${many(errors, 'error', 'errors')} in the last drift check` : '',
  ].filter(Boolean);
}

/** What may become wrong. */
function doubtsOf({ fleet, drift }: NowParts): readonly string[] {
  const { states } = fleet.value ?? {};
  const { report } = drift.value ?? {};
  return [
    states?.Stale ? many(states.Stale, 'account is behind', 'accounts are behind') : '',
    states?.Unknown ? many(states.Unknown, 'account is not known', 'accounts are not known') : '',
    report?.counts.warning ? `${many(report.counts.warning, 'warning', 'warnings')} in the last drift check` : '',
  ].filter(Boolean);
}

function unreadOf({ fleet, keys, rotations, drift }: NowParts): readonly string[] {
  const { report } = drift.value ?? {};
  const { vaultsUnread = 0, keysUnread = 0, complete = true } = keys.value ?? {};
  const unknown = (rotations.value?.underWay ?? []).filter(({ state }) => state === 'unknown').length;
  return [
    fleet.value?.listed === false ? 'not every account is known yet' : '',
    fleet.value?.listed && fleet.value.warnings.length > 0 ? 'part of the fleet could not be read' : '',
    vaultsUnread ? `${many(vaultsUnread, 'vault', 'vaults')} could not be listed` : '',
    keysUnread ? `${many(keysUnread, 'key', 'keys')} could not be read` : '',
    complete ? '' : 'there was no time to read every key',
    unknown ? `${many(unknown, 'rotation', 'rotations')} could not be read` : '',
    report?.complete === false ? 'the last drift check could not read everything' : '',
    report?.old ? 'the last drift check was more than two days ago' : '',
  ].filter(Boolean);
}

function many(number: number, one: string, several: string): string {
  return `${number.toLocaleString('en')} ${number === 1 ? one : several}`;
}

import { DeadlineError } from '../azure/deadline.ts';
import type { PartTaken } from '../azure/read-cache.ts';
import type { DriftCause } from '../drift/report/report.ts';
import type { Reason } from '../errors/reasons.ts';
import { HOUR_MS } from '../formats/spans.ts';
import { formatMany } from '../formats/text.ts';
import type { RouteKey } from '../http/access.ts';
import { type AnswerContext, HttpProblem, toPartProblem } from '../http/problem.ts';
import { parseKeyIdentifier } from '../keys/key-identifier.ts';
import { createFleetSummary } from './fleet-list.ts';
import { getFindingState } from './health.ts';
import type { HealthState } from './health-states.ts';
import type { KeySummary } from './key-schemas.ts';
import { MOST_LISTED_NOW, type NowAnswer, type NowParts, type NowValue, type PartView } from './now-schemas.ts';
import type { NowReadings, TakeReadings } from './read-now.ts';
import { isRotationOpen } from './rotation.ts';

interface NowVisibility extends AnswerContext {
  /** Whether the caller's role reaches a key; without a key, the whole fleet. */
  readonly reaches: (key: RouteKey | undefined) => boolean;
  readonly reachesVault: (vault: string) => boolean;
  readonly now: Date;
  /** @throws {@link HttpProblem} for a role that is limited to some keys */
  readonly requireFleet: () => void;
}

/** Age steps in milliseconds: an unchanged part gets a new ETag at each step, so the caller gets its new age. */
const AGE_STEP_MS = 30_000;

const CHANGES = 20;

/** Age in milliseconds at which a drift report is old: a check is due each hour, and may take 25 minutes. */
const OLD_MS = 2 * HOUR_MS;

/**
 * Returns the parts that the caller may see. Never throws: a part that the app could not read has a problem instead.
 */
export async function readVisibleParts(
  take: TakeReadings,
  visibility: NowVisibility,
): Promise<NowParts & { readonly steps: number[] }> {
  const { reaches, requireFleet } = visibility;

  // The app does not read a part that the caller may not see.
  const ofFleet = async <T>(taking: () => Promise<PartTaken<T>>): Promise<PartTaken<T>> => {
    try {
      requireFleet();
      return await taking();
    } catch (error) {
      return { error };
    }
  };

  const all = await Promise.all([
    take.fleet(),
    take.keys(),
    take.pauses(),
    ofFleet(take.rotations),
    ofFleet(take.drift),
  ]);

  const [fleet, keys, pauses, rotations, drift] = all;
  const listed = new Set('value' in rotations ? rotations.value.map(({ key }) => key.toLowerCase()) : []);

  return {
    fleet: createPartView(fleet, (snapshot) => createFleetSummary(snapshot, reaches, MOST_LISTED_NOW), visibility),
    keys: createPartView(keys, (reading) => keysOf(reading, visibility, listed), visibility),
    pauses: createPartView(pauses, (pauses) => pausesOf(pauses, reaches), visibility),
    rotations: createPartView(rotations, (open) => ({ underWay: first(open), moreUnderWay: rest(open) }), visibility),
    drift: createPartView(drift, (report) => driftOf(report, visibility.now), visibility),
    steps: all.map((taken) => ('ageMs' in taken ? Math.floor(taken.ageMs / AGE_STEP_MS) : 0)),
  };
}

/**
 * Builds the view of a part from a read or its failure. Never throws, so the other parts are shown.
 *
 * @param show builds the caller's view of the value
 */
export function createPartView<T, V>(taken: PartTaken<T>, show: (value: T) => V, telling: AnswerContext): PartView<V> {
  try {
    if ('error' in taken) throw taken.error;
    const reading = taken.reading ? ({ reading: true } as const) : {};
    return 'value' in taken ? { readOn: taken.readOn.toISOString(), value: show(taken.value), ...reading } : reading;
  } catch (error) {
    const nextStep = 'The app retries the read automatically; repeat the call.';
    const isLate = error instanceof DeadlineError;
    const problem = isLate ? new HttpProblem('ServiceUnavailable', { detail: error.message, nextStep }) : error;

    return { problem: toPartProblem(problem, telling) };
  }
}

/** A part without its varying fields: the time of the read and the text of a failure. */
export function getPartContent({ value, problem, reading }: PartView<unknown>): unknown {
  return problem ? [problem.status, problem.reason] : { value, reading };
}

function keysOf(
  { keys, vaults, complete }: NowReadings['keys'],
  { reaches, reachesVault }: NowVisibility,
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

/** A rotation without a rollout, because a pause blocks the first decision. */
function rotationOf({ key, rotation }: KeySummary): NowValue<'keys'>['notBegun'] {
  return rotation && isRotationOpen(rotation) ? [{ ...rotation, key }] : [];
}

function pausesOf(pauses: NowReadings['pauses'], reaches: NowVisibility['reaches']): NowValue<'pauses'> {
  return pauses.flatMap((pause) => {
    const { key } = pause;
    const names = key === undefined ? undefined : parseKeyIdentifier(key);
    const isReached = key === undefined || (names && reaches({ vault: names.vaultName, key: names.keyName }));
    return isReached ? pause : [];
  });
}

function driftOf(report: NowReadings['drift'], now: Date): NowValue<'drift'> {
  if (!report) return {};
  const { id, startedOn, complete, causes, changeSeconds } = report;
  const open = causes.filter(({ exempt }) => !exempt);
  const exempt = causes.length - open.length;
  const counts = { error: 0, warning: 0, advice: 0 };
  for (const { severity } of open) counts[severity] += 1;
  const old = now.getTime() - Date.parse(startedOn) > OLD_MS || undefined;
  const listed = { causes: first(open), moreCauses: rest(open), exempt, changes: report.changes.slice(0, CHANGES) };
  return { report: { id, startedOn, complete, counts, ...listed, changeSeconds, old } };
}

function first<T>(all: readonly T[]): T[] {
  return all.slice(0, MOST_LISTED_NOW);
}

function rest(all: readonly unknown[]): number {
  return Math.max(0, all.length - MOST_LISTED_NOW);
}

const CONTESTED: Reason = 'ContestedChange';

const WORDS: Readonly<Record<keyof NowParts, string>> = {
  fleet: 'the fleet',
  keys: 'the keys',
  pauses: 'the pauses',
  rotations: 'the rotations',
  drift: 'the last check',
};

/**
 * Summarizes the visible parts in a line. Parts that are not read yet never count as healthy.
 *
 * `good`: healthy; `bad`: data is or soon will be cut off; `warn`: needs attention; `none`: unknown.
 */
export function summarizeNow(parts: NowParts): Pick<NowAnswer, 'line' | 'tone'> {
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
    return { tone: 'none', line: `No check has run yet, so health is unknown.${more}` };
  }

  const doubtful = [...doubtsOf(parts), ...unread];
  if (doubtful.length > 0) return { tone: 'warn', line: `Needs attention: ${doubtful.join(', ')}.${more}` };
  if (isReading) return { tone: 'none', line: 'Not everything has been read yet.' };

  const isNarrowed = all.some(([, { problem }]) => problem);

  return { tone: 'good', line: isNarrowed ? 'Healthy, as far as you may see.' : 'Healthy.' };
}

function wrongOf(parts: NowParts): readonly string[] {
  const { fleet, keys, rotations, drift } = parts;
  const { states } = fleet.value ?? {};
  const { revoked = [], moreRevoked = 0, notBegun = [] } = keys.value ?? {};
  const keysRevoked = revoked.length + moreRevoked;

  // A contested account blocks its rotation until it is released, which the cause already says.
  const isContestFound = drift.value?.report?.causes.some(({ reason }) => reason === CONTESTED);
  const stuck = [...(rotations.value?.underWay ?? []), ...notBegun].filter(
    ({ state, reason }) => (state === 'stuck' || state === 'held') && !(isContestFound && reason === CONTESTED),
  ).length;

  return [
    phrase(keysRevoked, 'key is revoked', 'keys are revoked'),
    // Counts revoked accounts if their key is unreadable or hidden from the caller.
    phrase(keysRevoked ? 0 : states?.Revoked, 'account is revoked', 'accounts are revoked'),
    phrase(states?.Blocked, 'account is blocked', 'accounts are blocked'),
    phrase(states?.NoAccess, 'account has no access to the key', 'accounts have no access to the key'),
    phrase(stuck, 'rotation is stuck', 'rotations are stuck'),
    causesBeside('error', ['Revoked', 'Blocked', 'NoAccess'], parts),
  ].filter(Boolean);
}

function doubtsOf(parts: NowParts): readonly string[] {
  const { states } = parts.fleet.value ?? {};
  return [
    phrase(states?.Stale, 'account is behind', 'accounts are behind'),
    phrase(states?.Unknown, 'account is not known', 'accounts are not known'),
    causesBeside('warning', ['Stale', 'Unknown'], parts),
  ].filter(Boolean);
}

/** Causes of the last drift check, without causes that the counts of accounts already cover. */
function causesBeside(
  severity: 'error' | 'warning',
  said: readonly HealthState[],
  { fleet: { value: fleet }, drift }: NowParts,
): string {
  const { counts, causes = [] } = drift.value?.report ?? {};
  const isSaid = (cause: DriftCause): boolean => {
    const state = getFindingState({ ...cause, cause });
    return state !== undefined && said.includes(state) && (fleet?.states[state] ?? 0) > 0;
  };
  const number = (counts?.[severity] ?? 0) - causes.filter((one) => one.severity === severity && isSaid(one)).length;

  return phrase(number, `${severity} in the last check`, `${severity}s in the last check`);
}

function unreadOf({ fleet, keys, rotations, drift }: NowParts): readonly string[] {
  const { report } = drift.value ?? {};
  const { vaultsUnread = 0, keysUnread = 0, complete = true } = keys.value ?? {};
  const unknown = (rotations.value?.underWay ?? []).filter(({ state }) => state === 'unknown').length;

  return [
    fleet.value?.listed === false ? 'not every account is known yet' : '',
    fleet.value?.listed && fleet.value.warnings.length > 0 ? 'part of the fleet could not be read' : '',
    phrase(vaultsUnread, 'vault could not be listed', 'vaults could not be listed'),
    phrase(keysUnread, 'key could not be read', 'keys could not be read'),
    complete ? '' : 'there was no time to read every key',
    phrase(unknown, 'rotation could not be read', 'rotations could not be read'),
    report?.complete === false ? 'the last check could not read everything' : '',
    report?.old ? `no check since ${formatMinute(report.startedOn)}, although one is due each hour` : '',
  ].filter(Boolean);
}

/** `2026-12-03T04:44Z`, of an ISO 8601 time. A span would age in a cached answer. */
function formatMinute(time: string): string {
  return `${time.slice(0, 16)}Z`;
}

/** Returns a phrase with a number; empty for zero. */
function phrase(number: number | undefined, one: string, several: string): string {
  return number && number > 0 ? formatMany(number, one, several) : '';
}

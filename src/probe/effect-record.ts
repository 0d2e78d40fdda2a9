import {
  type AccountEffect,
  getProbedPlace,
  type KeyChange,
  type KeyEffect,
  type RefusedAfter,
  toAccountKey,
} from './effect.ts';
import { KEY_NOT_FOUND, type ProbeResult, ROLE_MISSING } from './probe.ts';

// The record of a key's effect after each round of probes, and when the next round follows.

/** Shortest interval of probes, so that the record shows within seconds when a change took effect. Seconds. */
const MIN_INTERVAL_SECONDS = 5;
const MAX_INTERVAL_SECONDS = 60;

type ProbeRound = Pick<KeyEffect, 'key' | 'change' | 'complete'> & { readonly results: readonly ProbeResult[] };

export function isSameChange(current: KeyEffect | undefined, change: KeyChange): current is KeyEffect {
  return current?.change.expect === change.expect && Date.parse(current.change.since) === Date.parse(change.since);
}

/** Returns the record after a round. A result that is older than the recorded result changes nothing. */
export function recordRound(current: KeyEffect | undefined, round: ProbeRound): KeyEffect {
  const before = new Map((current?.accounts ?? []).map((effect) => [toAccountKey(effect), effect]));
  const same = isSameChange(current, round.change);
  const accounts = round.results.map((result) => {
    const known = before.get(toAccountKey(result));
    if (same && known && Date.parse(known.checkedOn) > result.checkedOn.getTime()) return known;
    // The expected effect stays recorded if the probed share or container is gone, or if listing them failed.
    if (same && known?.state === round.change.expect && result.unlisted) {
      return { ...known, unlisted: result.unlisted };
    }
    return nextEffect(known, same, result, round.change);
  });

  const { key, change, complete } = round;
  const refusedAfter = measureRefusal(current, change, accounts) ?? current?.refusedAfter;

  return { key, change, complete, accounts, refusedAfter };
}

function nextEffect(
  known: AccountEffect | undefined,
  sameChange: boolean,
  { checkedOn, ...result }: ProbeResult,
  change: KeyChange,
): AccountEffect {
  const { state } = result;
  const since = known?.state === state ? known.since : checkedOn.toISOString();
  const secondsAfterChange = secondsAfter(sameChange ? known : undefined, state, since, change);
  return { ...result, since, checkedOn: checkedOn.toISOString(), secondsAfterChange };
}

/** An unknown state keeps an observed effect; the opposite state clears it. */
function secondsAfter(
  known: AccountEffect | undefined,
  state: AccountEffect['state'],
  since: string,
  change: KeyChange,
): number | undefined {
  if (state !== change.expect) return state === 'unknown' ? known?.secondsAfterChange : undefined;
  // Negative if the state was reached before the change of the key.
  return known?.secondsAfterChange ?? Math.max(0, secondsBetween(change.since, since));
}

/**
 * Returns the time of the last account that began to refuse in this round. An account counts if it was probed in the
 * first round of the change, or served data at its previous probe; otherwise the effect came at an unknown time.
 */
function measureRefusal(
  before: KeyEffect | undefined,
  change: KeyChange,
  accounts: readonly AccountEffect[],
): RefusedAfter | undefined {
  if (change.expect !== 'blocked') return undefined;

  const isFirstRound = !isSameChange(before, change);
  const served = new Set((before?.accounts ?? []).filter(({ state }) => state === 'open').map(toAccountKey));

  // An account may also refuse requests for another reason. After 0 seconds, it refused before the change.
  const measured = accounts.filter(
    (effect) => effect.why === KEY_NOT_FOUND && (isFirstRound || served.has(toAccountKey(effect))),
  );
  const seconds = measured.reduce((longest, one) => Math.max(longest, one.secondsAfterChange ?? 0), 0);

  return seconds > 0 ? { revokedOn: change.since, seconds } : undefined;
}

function secondsBetween(start: string, end: string): number {
  return (Date.parse(end) - Date.parse(start)) / 1000;
}

/** Time after a change during which probes wait for its effect. Microsoft gives no figure for Storage. Milliseconds. */
const PATIENCE_MS = 30 * 60_000;
/** The same if all other accounts show the effect, and Azure throttles the lists of what to probe. Milliseconds. */
const LISTING_MS = 2 * 60 * 60_000;
/** Longest propagation of a role assignment ("Troubleshoot Azure RBAC"). Milliseconds. */
const ROLE_SPREADS_MS = 10 * 60_000;

type NextProbe =
  | { readonly next: 'done' }
  | { readonly next: 'again'; readonly delaySeconds: number }
  | { readonly next: 'givenUp' };

/** Returns accounts that can show the effect but have not. Silent accounts are not pending. */
export function listPendingAccounts({ accounts, change }: KeyEffect): AccountEffect[] {
  return accounts.filter((effect) => !isSilent(effect) && effect.state !== change.expect);
}

/** Returns whether an account cannot show an effect: no share or container exists, or the app lacks a role. */
export function isSilent(effect: AccountEffect): boolean {
  if (isUnprobed(effect)) return false;
  return getProbedPlace(effect) === undefined || isBarred(effect);
}

/** Returns whether the app could not list what to probe. */
function isUnprobed(effect: AccountEffect): boolean {
  return effect.unlisted !== undefined && getProbedPlace(effect) === undefined;
}

function isBarred({ why = '' }: AccountEffect): boolean {
  return why.startsWith(ROLE_MISSING);
}

/** Returns whether the waiting time after a change is over; true if its time is invalid. */
export function isOver({ since }: Pick<KeyChange, 'since'>, now: Date, patienceMs = PATIENCE_MS): boolean {
  return !(now.getTime() - Date.parse(since) < patienceMs);
}

/** Returns whether each account was probed after the waiting time: later results are no effect of the change. */
export function isJudged(effect: KeyEffect): boolean {
  const patienceMs = patienceFor(effect);
  return effect.accounts.every(({ checkedOn }) => isOver(effect.change, new Date(checkedOn), patienceMs));
}

/** Waits longer while only throttled lists are missing: Azure may admit an account's first list only after half an hour. */
function patienceFor(effect: KeyEffect): number {
  const pending = listPendingAccounts(effect);
  const isThrottled = pending.length > 0 && pending.every(({ unlisted }) => unlisted === 'throttled');
  return isThrottled ? LISTING_MS : PATIENCE_MS;
}

/**
 * Schedules the next probe 5, 10, 20 and 40 seconds after the change, then every minute, for half an hour: each probe
 * waits for as long as the change is old. If only throttled lists are missing, probes end after two hours. If only the
 * app's role is missing, probes end after the longest propagation time of a role assignment.
 */
export function scheduleNextProbe(effect: KeyEffect, now: Date): NextProbe {
  const mayComeYet = effect.accounts.some(isBarred) && !isOver(effect.change, now, ROLE_SPREADS_MS);
  if (effect.complete && listPendingAccounts(effect).length === 0 && !mayComeYet) return { next: 'done' };
  if (isOver(effect.change, now, patienceFor(effect))) return { next: 'givenUp' };

  const ageSeconds = Math.round(secondsBetween(effect.change.since, now.toISOString()));
  const delaySeconds = Math.min(Math.max(ageSeconds, MIN_INTERVAL_SECONDS), MAX_INTERVAL_SECONDS);

  return { next: 'again', delaySeconds };
}

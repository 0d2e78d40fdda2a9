import { z } from 'zod';
import { isBelieved } from '../revocation/revocation.ts';
import { KEY_NOT_FOUND } from './classify-answer.ts';
import { type AccountEffect, type EffectTime, effectId, type KeyChange, type KeyEffect } from './effect.ts';
import { PATIENCE_MS } from './next-probe.ts';
import type { ProbeResult } from './probe.ts';

const time = z.iso.datetime();
const expect = z.enum(['blocked', 'open']);
/** A record without it is of an earlier version, which asked file services alone. */
const service = z.enum(['file', 'blob']).default('file');

const record = z.object({
  key: z.string(),
  change: z.object({ expect, since: time }),
  complete: z.boolean(),
  accounts: z.array(
    z.object({
      account: z.string(),
      service,
      share: z.string().optional(),
      container: z.string().optional(),
      state: z.enum(['blocked', 'open', 'unknown']),
      since: time,
      checkedOn: time,
      secondsAfterChange: z.number().optional(),
      why: z.string().optional(),
    }),
  ),
  timedSince: time.optional(),
  times: z
    .array(
      z.object({
        account: z.string(),
        service,
        expect,
        since: time,
        seconds: z.number().nonnegative().optional(),
        notWithin: z.number().nonnegative().optional(),
      }),
    )
    .optional(),
});

/** Undefined for what is not a record of ours: it is made anew by the next probe. */
export const EFFECT: z.ZodType<KeyEffect | undefined> = record.optional().catch(undefined);

interface ProbeRound {
  readonly key: string;
  readonly change: KeyChange;
  readonly complete: boolean;
  readonly results: readonly ProbeResult[];
}

export function isSameChange(current: KeyEffect | undefined, change: KeyChange): current is KeyEffect {
  return current?.change.expect === change.expect && Date.parse(current.change.since) === Date.parse(change.since);
}

/** A record from the future is not one of this app: it would end every later measurement. */
export function believed(effect: KeyEffect | undefined, now: Date): KeyEffect | undefined {
  const { change, timedSince: timed = [], accounts = [] } = effect ?? {};
  const times = [change?.since ?? [], timed, accounts.map((one) => [one.since, one.checkedOn])].flat(2);
  return times.every((time) => isBelieved({ revokedOn: new Date(time) }, now)) ? effect : undefined;
}

/** The record after a round. An answer older than the one on record changes nothing. */
export function recordRound(current: KeyEffect | undefined, round: ProbeRound): KeyEffect {
  const before = new Map((current?.accounts ?? []).map((effect) => [effectId(effect), effect]));
  const same = isSameChange(current, round.change);
  const accounts = round.results.map((result) => {
    const known = before.get(effectId(result));
    if (same && known && Date.parse(known.checkedOn) > result.checkedOn.getTime()) return known;
    return nextEffect(known, same, result, round.change);
  });
  const { key, change, complete } = round;
  const since = timedSince(current, change);
  const times = keepTimes(current, { ...change, since }, accounts);
  return { key, change, complete, accounts, ...(since === change.since ? {} : { timedSince: since }), times };
}

function nextEffect(
  known: AccountEffect | undefined,
  sameChange: boolean,
  { account, service, share, container, state, why, checkedOn }: ProbeResult,
  change: KeyChange,
): AccountEffect {
  const since = known?.state === state ? known.since : checkedOn.toISOString();
  const seconds = secondsAfterChange(sameChange ? known : undefined, state, since, change);
  return {
    account,
    service,
    ...(share === undefined ? {} : { share }),
    ...(container === undefined ? {} : { container }),
    state,
    since,
    checkedOn: checkedOn.toISOString(),
    ...(seconds === undefined ? {} : { secondsAfterChange: seconds }),
    ...(why === undefined ? {} : { why }),
  };
}

/** An unknown state does not revoke an observed effect; the opposite state does. */
function secondsAfterChange(
  known: AccountEffect | undefined,
  state: AccountEffect['state'],
  since: string,
  change: KeyChange,
): number | undefined {
  if (state !== change.expect) return state === 'unknown' ? known?.secondsAfterChange : undefined;
  // Negative when it was so already before the key was changed.
  return known?.secondsAfterChange ?? Math.max(0, (Date.parse(since) - Date.parse(change.since)) / 1000);
}

/** Times that are kept of a key; of its last change it is all of them. Each takes some 250 bytes. */
const MOST_KEPT = 2_000;
/**
 * Looks are so far apart at most: a minute's pause, one for finding the accounts, one for asking them. Where it was longer,
 * the queue was away, say, the time of the probe says nothing of the time of the effect. Seconds.
 */
const MOST_APART = 180;

/** From when a change is timed. One that is repeated while its effect is waited for is the same, and began with the first. */
function timedSince(before: KeyEffect | undefined, { expect, since }: KeyChange): string {
  if (before?.change.expect !== expect) return since;
  const first = before.timedSince ?? before.change.since;
  return Date.parse(since) - Date.parse(first) < PATIENCE_MS ? first : since;
}

/**
 * How long changes of the key took to show, after a round of probes. There is one for each service of an account and each
 * change, so that a round that runs twice adds nothing.
 *
 * @param accounts as the record has them after the round
 */
function keepTimes(
  before: KeyEffect | undefined,
  { expect, since }: KeyChange,
  accounts: readonly AccountEffect[],
): EffectTime[] {
  const isOfChange = (time: EffectTime): boolean => time.since === since && time.expect === expect;
  const kept = before?.times ?? [];
  const current = new Map(kept.filter(isOfChange).map((time) => [effectId(time), time]));
  const earlier = kept.filter((time) => !isOfChange(time));
  const shown = new Map((before?.accounts ?? []).map((effect) => [effectId(effect), effect.state]));
  for (const effect of accounts) {
    const name = effectId(effect);
    const time = nextTime(current.get(name), effect, shown.get(name) === expect, { expect, since });
    if (time) current.set(name, time);
  }
  return [...earlier.slice(Math.max(0, earlier.length - MOST_KEPT + current.size)), ...current.values()];
}

/**
 * What the round adds to what is known; undefined: nothing.
 *
 * @param wasSo whether the account showed the effect before the round. Without a time by then, it did before the change.
 */
function nextTime(
  known: EffectTime | undefined,
  { account, service, state, why, since: shownSince, checkedOn }: AccountEffect,
  wasSo: boolean,
  change: KeyChange,
): EffectTime | undefined {
  const seconds = (at: string): number => (Date.parse(at) - Date.parse(change.since)) / 1000;
  const of = { account, service, ...change };
  if (state === 'unknown') return undefined;
  // By the clock of another instance, which is behind: there is no time.
  if (seconds(checkedOn) < 0) return undefined;
  if (state !== change.expect) return { ...of, notWithin: seconds(checkedOn) };
  if (known?.seconds !== undefined) return undefined;
  // It refuses for a reason of its own, and may have done so before.
  const byChange = change.expect === 'open' || why === KEY_NOT_FOUND;
  if (!known && (wasSo || !byChange)) return undefined;
  const shownAfter = Math.max(0, seconds(shownSince));
  if (shownAfter - (known?.notWithin ?? 0) > MOST_APART) return undefined;
  return { ...of, ...known, seconds: shownAfter };
}

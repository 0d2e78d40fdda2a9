import { KEY_NOT_FOUND } from './classify-answer.ts';
import { type AccountEffect, type EffectTime, effectId, type KeyChange, type KeyEffect } from './effect.ts';
import { PATIENCE_MS } from './next-probe.ts';

/** Times that are kept of a key; of its last change it is all of them. Each takes some 250 bytes. */
const MOST_KEPT = 2_000;
/**
 * Looks are so far apart at most: a minute's pause, one for finding the accounts, one for asking them. Where it was longer,
 * the queue was away, say, the time of the look tells nothing of the time of the effect. Seconds.
 */
const MOST_APART = 180;

/** From when a change is timed. One that is repeated while its effect is waited for is the same, and began with the first. */
export function timedSince(before: KeyEffect | undefined, { expect, since }: KeyChange): string {
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
export function keepTimes(
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
  // By the clock of another instance, which is behind: no time can be told.
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

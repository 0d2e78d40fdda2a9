import type { RekeyData } from '../fleet/rekey-order.ts';
import { waveOf } from '../rollout/stage.ts';

/** The first wave is small: what is wrong with all of them shows there. Each is up to four times what was done before it. */
const FIRST_WAVE = 5;
const GROWTH = 4;
const LARGEST_WAVE = 500;
/** What Storage takes in one subscription and region (see `WRITES_PER_SECOND`): where a wave is all there, it takes so long. */
const PER_SECOND = 10;
/** Beyond that a wave is waited for; then whoever is left is sent to again. Milliseconds. */
const PATIENCE_MS = 60_000;

/** How long it is to the next step, in seconds. */
const NEXT_SECONDS = 3;
const SELDOM_SECONDS = 20;
/** After each wave that settled nobody it is so many times as long: who was sent to may be known wrongly for some time yet. */
const IDLE_GROWTH = 4;
/** While a key is revoked, or something else stands in the way. */
export const WAITS_SECONDS = 60;
/** When all has moved, and not everything could be read. */
export const UNVERIFIED_SECONDS = 900;

/** When Azure takes as many lists again (see `DOCUMENTED` in `azure/pacer.ts`), as exactly as the turns are counted. */
export const LISTS_SECONDS = 310;

/**
 * When it is looked again for what is left. Some accounts are asked at once; many wait for their turn, and are not counted
 * every few seconds. Seconds.
 *
 * @param asked accounts that somebody was sent to, who asks for their scopes
 * @param unlisted accounts whose scopes the last look had no turn to list
 */
export function secondsToLook(asked: number, unlisted = 0): number {
  if (asked > 0) return Math.min(Math.max(asked, 5), UNVERIFIED_SECONDS);
  return unlisted > 0 ? LISTS_SECONDS : UNVERIFIED_SECONDS;
}

/** What an order is changed to by a step, and when the next one comes. */
export interface NextStep {
  readonly seconds: number;
  readonly wave?: NonNullable<RekeyData['wave']>;
  readonly waits?: NonNullable<RekeyData['waits']>;
  readonly verified?: NonNullable<RekeyData['verified']>;
}

/**
 * The wave that was sent last, while it is not through and may still be: until the turns of all have come, and for as long as
 * accounts come through. Where Azure takes one write in three seconds that is long, and whoever was sent once more meanwhile
 * would have a turn once more, with everybody else behind it.
 *
 * @param left so many of it are not done with
 * @returns with how long it is waited for, unless more of them are done with
 */
export function waveUnderWay(
  { wave }: Pick<RekeyData, 'wave'>,
  left: number,
  now: Date,
): (NextStep & { readonly endsOn: Date }) | undefined {
  if (!wave || left === 0) return undefined;
  const { on, until = on } = wave;
  const reached = wave.sent - left;
  const hasGoneOn = reached > (wave.reached ?? 0);
  const untilMs = Math.max(Date.parse(until), hasGoneOn ? now.getTime() : 0);
  const patienceMs = PATIENCE_MS + (wave.sent / PER_SECOND + (wave.lists ? LISTS_SECONDS : 0)) * 1000;
  if (now.getTime() - untilMs > patienceMs) return undefined;
  const waitedMs = now.getTime() - Date.parse(on);
  // What takes long is not asked about every few seconds.
  const seconds = Math.min(Math.max(Math.ceil(waitedMs / 3_000), NEXT_SECONDS), SELDOM_SECONDS);
  const next = { ...wave, reached, until: new Date(untilMs).toISOString() };
  return { seconds, wave: next, endsOn: new Date(untilMs + patienceMs) };
}

/** Those whose turn it is, by the tag `cmk-wave` as in a rotation: one wave after the other, what has none comes last. */
export function firstOf<D>(left: readonly D[], tagOf: (one: D) => string | undefined): readonly D[] {
  const first = left.reduce((least, one) => Math.min(least, waveOf(tagOf(one))), Number.POSITIVE_INFINITY);
  return left.filter((one) => waveOf(tagOf(one)) === first);
}

/** How many are sent next, of so many that are left, after the wave that was sent last. */
export function nextWave(
  { settled, failed }: Readonly<Record<'settled' | 'failed', { readonly size: number }>>,
  left: number,
  now: Date,
  last?: RekeyData['wave'],
): NextStep & Required<Pick<NextStep, 'wave'>> {
  const most = Math.min(Math.max(settled.size * GROWTH, FIRST_WAVE), LARGEST_WAVE);
  const sent = Math.min(left, most);
  const before = settled.size + failed.size;
  const idle = last?.settled === before ? (last.idle ?? 0) + 1 : 0;
  const pause = Math.min(NEXT_SECONDS * IDLE_GROWTH ** idle, WAITS_SECONDS);
  return {
    seconds: Math.max(pause, Math.ceil(sent / PER_SECOND)),
    wave: { sent, settled: before, on: now.toISOString(), ...(idle ? { idle } : {}) },
  };
}

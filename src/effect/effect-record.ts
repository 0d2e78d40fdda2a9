import { z } from 'zod';
import { KEY_NOT_FOUND } from './classify-answer.ts';
import { type AccountEffect, type EffectTime, effectId, type KeyChange, type KeyEffect } from './effect.ts';
import type { ProbeResult } from './probe.ts';

const time = z.iso.datetime();
const expect = z.enum(['blocked', 'open']);
/** Records of earlier versions lack the field: such versions probed only file services. */
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

/** Undefined for an invalid record: the next probe writes a new record. */
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

/** Returns the record after a round. A result that is older than the recorded result changes nothing. */
export function recordRound(current: KeyEffect | undefined, round: ProbeRound): KeyEffect {
  const before = new Map((current?.accounts ?? []).map((effect) => [effectId(effect), effect]));
  const same = isSameChange(current, round.change);
  const accounts = round.results.map((result) => {
    const known = before.get(effectId(result));
    if (same && known && Date.parse(known.checkedOn) > result.checkedOn.getTime()) return known;
    return nextEffect(known, same, result, round.change);
  });
  const { key, change, complete } = round;
  return { key, change, complete, accounts, times: keepTimes(current, change, accounts) };
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

/** An unknown state keeps an observed effect; the opposite state clears it. */
function secondsAfterChange(
  known: AccountEffect | undefined,
  state: AccountEffect['state'],
  since: string,
  change: KeyChange,
): number | undefined {
  if (state !== change.expect) return state === 'unknown' ? known?.secondsAfterChange : undefined;
  // Negative if the state was reached before the change of the key.
  return known?.secondsAfterChange ?? Math.max(0, (Date.parse(since) - Date.parse(change.since)) / 1000);
}

/** Maximum number of times of a key; the last change keeps all its times. Each time takes about 250 bytes. */
const MOST_KEPT = 2_000;

/** Returns the times that changes of the key took to show: one for each service of an account and each change. */
function keepTimes(
  before: KeyEffect | undefined,
  change: KeyChange,
  accounts: readonly AccountEffect[],
): readonly EffectTime[] {
  const isOfChange = (time: EffectTime): boolean => time.since === change.since && time.expect === change.expect;
  const kept = before?.times ?? [];
  const known = new Map(kept.filter(isOfChange).map((time) => [effectId(time), time]));
  const current = accounts.flatMap((effect) => timeOf(effect, change) ?? known.get(effectId(effect)) ?? []);
  const earlier = kept.filter((time) => !isOfChange(time));
  return [...earlier.slice(Math.max(0, earlier.length - MOST_KEPT + current.length)), ...current];
}

/** Returns undefined if the account's state does not show how long the change took. */
function timeOf(
  { account, service, state, why, checkedOn, secondsAfterChange: seconds }: AccountEffect,
  change: KeyChange,
): EffectTime | undefined {
  const of = { account, service, ...change };
  if (seconds === undefined && state !== 'unknown' && state !== change.expect) {
    return { ...of, notWithin: Math.max(0, (Date.parse(checkedOn) - Date.parse(change.since)) / 1000) };
  }
  // 0: the state was reached before the change. An account may also reject requests for another reason.
  const isByChange = change.expect === 'open' || why === KEY_NOT_FOUND;
  return seconds && isByChange ? { ...of, seconds } : undefined;
}

import { z } from 'zod';
import { isBelieved } from '../revocation/revocation.ts';
import { type AccountEffect, effectId, type KeyChange, type KeyEffect } from './effect.ts';
import { keepTimes, timedSince } from './keep-times.ts';
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

/** What a round of probes found. */
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

/** One answer that tells nothing does not unsay what was seen; the opposite does. */
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

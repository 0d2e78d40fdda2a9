import type { RecordAudit } from '../audit/audit-trail.ts';
import type { PacedCalls, PacedPlace, Turns } from '../azure/turns.ts';
import type { StorageAccounts } from '../fleet/storage-client.ts';
import type { Keys } from '../keys/key-client.ts';
import type { Settings } from '../settings/settings.ts';
import { LEASE_MS, type Leases } from '../work/lease-client.ts';
import type { AccountQueueWork } from '../work/messages.ts';
import type { Outcome } from '../work/outcome.ts';
import { handOut } from './dispatcher.ts';
import type { Rollout } from './rollout.ts';

export type ReconcileServices = {
  readonly settings: Settings;
  readonly rollout: Pick<Rollout, 'paused' | 'pausedNow' | 'heldNow' | 'stage'>;
  readonly keys: Keys;
  readonly accounts: StorageAccounts;
  readonly leases: Leases;
  readonly audit: RecordAudit;
  /** Whether somebody has asked the account for its scopes since what the message is about, and it has none. Never throws. */
  readonly knowsNoScopes?: () => Promise<boolean>;
  /** Guards what is done; what is put back is handed out anew by the schedule. */
  readonly turns: Turns;
  readonly schedule: Turns;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
};

/** A message comes back when the lease that was abandoned is free again, in seconds. */
export const ABANDONED_SECONDS = LEASE_MS / 1000 + 1;
/** A turn further away than this is waited for in the queue, where waiting costs nothing. Milliseconds. */
const LONGEST_WAIT_MS = 5_000;
/** Whoever is woken so long after the turn has missed it, as has all else that was waiting in this instance. Milliseconds. */
const MISSED_MS = 300;
/** A service that throttles and does not say for how long. Seconds. */
export const UNSAID_SECONDS = 15;
/** What is put back comes a little later than it could, up to this part of the wait, so that it does not come in a heap. */
const JITTER = 0.05;
/** Not now: somebody else is at it. */
export const BUSY = {
  outcome: 'retry',
  reason: 'Busy',
  detail: 'Not counted as a try.',
  counts: false,
  delaySeconds: 5,
} as const satisfies Outcome;

/** Who had it before may have a write under way for so many milliseconds: they are waited for in the queue, not here. */
export function leftAlone(ms: number): Outcome {
  const detail = `${BUSY.detail} A write of before may still take effect.`;
  return { ...BUSY, detail, delaySeconds: Math.ceil(ms / 1000) + 1 };
}

/** What became of waiting for a turn. */
export type AwaitedTurn =
  /** It is now: the very time that it was taken for, in milliseconds since the epoch. By it, it is given back. */
  | { readonly turnMs: number; readonly tooFarMs?: undefined }
  /** It is so many milliseconds away, and was not taken. */
  | { readonly tooFarMs: number };

/**
 * Waits for a turn. One that is too far away is not taken, and the answer is how far it is. Nor is one used
 * that the place was closed for meanwhile: Azure would refuse it, and whoever asks too early waits for longer. One that was
 * missed is taken anew, once: what waited in an instance that was held up would go all together.
 */
export async function awaitTurn(
  place: PacedPlace,
  calls: PacedCalls,
  { turns, now, sleep }: Pick<ReconcileServices, 'turns' | 'now' | 'sleep'>,
  turnMs?: number,
): Promise<AwaitedTurn> {
  let mayMiss = true;
  for (let mostMs = LONGEST_WAIT_MS; ; ) {
    const fromMs = now().getTime();
    const waitMs = turns.take(place, calls, fromMs, { turnMs, mostMs });
    if (waitMs > mostMs) return { tooFarMs: waitMs };
    if (waitMs > 0) await sleep(waitMs);
    // Not by the clock: a timer may be a little early.
    const turnedMs = fromMs + waitMs;
    const isMissed = mayMiss && waitMs > 0 && now().getTime() - turnedMs > MISSED_MS;
    if (!isMissed && turns.closedMs(place, calls, turnedMs) === 0) return { turnMs: turnedMs };
    turns.release(place, calls, turnedMs);
    if (isMissed) mayMiss = false;
    else mostMs -= waitMs;
  }
}

export interface PutOff {
  /** No earlier than in so many milliseconds. */
  readonly waitMs: number;
  readonly why: string;
  /** What the turn of the message was handed out for and was not done: the schedule has it back. */
  readonly unused?: PacedCalls | undefined;
}

/** A turn that is too far away: the work is handed out anew, for a time when it can be done. */
export function putOff(
  work: AccountQueueWork,
  place: PacedPlace,
  calls: PacedCalls,
  { waitMs, why, unused }: PutOff,
  { schedule, random, now }: Pick<ReconcileServices, 'schedule' | 'random' | 'now'>,
): Outcome {
  if (unused && work.turn !== undefined) schedule.release(place, unused, work.turn);
  const handed = handOut(schedule, place, calls, now().getTime(), waitMs * (1 + JITTER * random()), true);
  const { delaySeconds, turn } = handed;
  const detail = `${why} It is its turn in ${delaySeconds} s.`;
  return { outcome: 'retry', reason: 'Throttled', detail, counts: false, delaySeconds, with: { ...work, turn } };
}

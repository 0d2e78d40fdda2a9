import type { NowParts } from '../api/types.ts';
import { type Polled, type PollHow, usePoll } from '../api/use-poll.ts';
import { mergeNow, type PartValue, type SeenNow, type SeenPart } from './now-seen.ts';

const HOW: PollHow<SeenNow> = {
  merge: mergeNow,
  isUnsettled: ({ parts }) => Object.values(parts).some(({ isReading }) => isReading),
};

/** Polls the whole state with one request. */
export function useStanding(isAsked = true): Polled<SeenNow> {
  return usePoll<SeenNow>(isAsked ? '/now' : undefined, 5_000, HOW);
}

/** One part as if the page polled it alone, with its own age and problem. */
export function partOf<P extends keyof NowParts>(now: Polled<SeenNow>, name: P): Polled<PartValue<P>> {
  const part = now.data?.parts[name] as SeenPart<PartValue<P>> | undefined;
  return { ...now, data: part?.value, readOn: part?.readOn, problem: now.problem ?? part?.problem };
}

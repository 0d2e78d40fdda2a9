import type { DriftCause, NowAnswer, NowParts } from '../api/types.ts';
import { byLocalClock } from '../server-time.ts';
import { causeSentence } from './cause-sentence.ts';

/** What is known of a part: what was read of it last, however old that is, and why it could not be read again. */
export interface SeenPart<T> {
  readonly value: T | undefined;
  readonly readOn: Date | undefined;
  readonly problem: NowParts['fleet']['problem'];
  readonly isReading: boolean;
}

type Names = keyof NowParts;
export type PartValue<P extends Names> = NonNullable<NowParts[P]['value']>;

/** What is known of how things stand, after any number of answers. */
export interface SeenNow extends Pick<NowAnswer, 'line' | 'tone'> {
  readonly parts: { readonly [P in Names]?: SeenPart<PartValue<P>> };
}

/** Takes in an answer: without one, parts are as they were, and one that could not be read stays as it was read before. */
export function mergeNow(before: SeenNow | undefined, answer: unknown, at: Date): SeenNow {
  const { line, tone, ...sent } = (answer ?? { line: before?.line, tone: before?.tone }) as NowAnswer;
  const known = Object.entries(before?.parts ?? {}).map(([name, part]) => [
    name,
    part.problem || part.isReading ? part : { ...part, readOn: at },
  ]);

  const come = Object.entries(sent).map(([name, { readOn, value, problem, reading }]) => {
    const last = before?.parts[name as Names];

    return [
      name,
      {
        value: value ?? last?.value,
        readOn: readOn === undefined ? last?.readOn : byLocalClock(readOn),
        problem,
        isReading: reading === true,
      },
    ];
  });

  return { line, tone, parts: Object.fromEntries([...known, ...come]) as SeenNow['parts'] };
}

/** Whether every account is known not to be cut off from its data. */
export function isFleetServing(states: PartValue<'fleet'>['states'] | undefined): boolean {
  return states !== undefined && states.Revoked + states.Blocked + states.NoAccess + states.Unknown === 0;
}

/** The one cause behind all that is wrong; undefined: there are several, or the check has not found it. */
function soleCause({ tone, parts: { fleet, keys, rotations, drift } }: SeenNow): DriftCause | undefined {
  const { counts, causes = [] } = drift?.value?.report ?? {};
  const [cause, another] = causes.filter(({ severity }) => severity === 'error');
  if (tone !== 'bad' || counts?.error !== 1 || !cause || another) return undefined;

  const { revoked = [], moreRevoked = 0, notBegun = [] } = keys?.value ?? {};
  const { Revoked = 0, Blocked = 0, NoAccess = 0 } = fleet?.value?.states ?? {};
  const isStuck = [...(rotations?.value?.underWay ?? []), ...notBegun].some(
    ({ state, reason }) => /^(stuck|held)$/.test(state) && !(reason === cause.reason && reason === 'ContestedChange'),
  );
  const cutOff = cause.reason === 'IdentityWithoutRole' ? cause.accounts : 0;
  const isMore = Revoked + Blocked + NoAccess > cutOff || revoked.length + moreRevoked > 0 || isStuck;

  return isMore ? undefined : cause;
}

/**
 * The line of the app, or the one cause behind it, and what the app cannot say itself.
 *
 * @param heard `isOld`: it has not been heard for a while; `isRefused`: nothing of it may be seen
 */
export function headlineOf(
  seen: SeenNow | undefined,
  { isOld, isRefused }: { readonly isOld: boolean; readonly isRefused: boolean },
): Pick<NowAnswer, 'line' | 'tone'> {
  if (!seen) {
    return {
      tone: 'none',
      line: isRefused ? 'You are not allowed to see the state of the fleet.' : 'Not everything has been read yet.',
    };
  }

  const { tone } = seen;
  const cause = soleCause(seen);

  // What is not known yet follows the first sentence.
  const line = cause ? seen.line.replace(/^[^.]*\./, () => causeSentence(cause)) : seen.line;
  if (!isOld) return { line, tone };
  if (tone === 'bad' || tone === 'warn') return { tone, line: `${line} This is old: it could not be read again.` };

  return { tone: 'warn', line: 'Not known: what was read last is old, and could not be read again.' };
}

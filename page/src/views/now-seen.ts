import { describeCause } from '../../../src/status/cause-sentence.ts';
import type { DriftCause, NowAnswer, NowParts } from '../api/types.ts';
import { byLocalClock } from '../server-time.ts';

/** The latest data of a part, its age, and why it could not be read again. */
export interface SeenPart<T> {
  readonly value: T | undefined;
  readonly readOn: Date | undefined;
  readonly problem: NowParts['fleet']['problem'];
  readonly isReading: boolean;
}

type Names = keyof NowParts;
export type PartValue<P extends Names> = NonNullable<NowParts[P]['value']>;

/** The latest state, combined from all answers. */
export interface SeenNow extends Pick<NowAnswer, 'line' | 'tone'> {
  readonly parts: { readonly [P in Names]?: SeenPart<PartValue<P>> };
}

/**
 * Combines an answer with the state before: a part that the answer lacks, or that could not be read, stays as it was.
 */
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

/** Whether no account is cut off from its data, or may be. */
export function isFleetServing(states: PartValue<'fleet'>['states'] | undefined): boolean {
  return states !== undefined && states.Revoked + states.Blocked + states.NoAccess + states.Unknown === 0;
}

/** The only cause of everything that is wrong; undefined: there are several, or the check has not found it. */
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
 * The app's headline or the only cause, with what the app itself cannot know.
 *
 * @param heard `isOld`: the app has not answered for a while; `isRefused`: the user may not see any of it
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

  // What is still unknown follows the first sentence.
  const line = cause ? seen.line.replace(/^[^.]*\./, () => describeCause(cause)) : seen.line;
  if (!isOld) return { line, tone };
  if (tone === 'bad' || tone === 'warn') return { tone, line: `${line} This is old: it could not be read again.` };

  return { tone: 'warn', line: 'Not known: what was read last is old, and could not be read again.' };
}

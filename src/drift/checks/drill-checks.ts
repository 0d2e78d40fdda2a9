import { shiftTime } from '../../formats/duration.ts';
import type { Found } from './check.ts';
import type { AppSubject, KeySubject, Rules } from './subjects.ts';

export function findDrillFailed({ lastDrill }: KeySubject): Found | undefined {
  if (!lastDrill || lastDrill.passed) return undefined;
  return { is: `The drill of ${lastDrill.on} failed. ${lastDrill.failure ?? ''}` };
}

export function findDrillOverdue({ drills, name }: AppSubject, { now, drift }: Rules): Found | undefined {
  const since = drift.drillInterval === undefined ? undefined : shiftTime(now, drift.drillInterval, -1);
  if (!since || !drills) return undefined;

  const passed = drills.flatMap(({ passedOn }) => passedOn ?? []).sort();
  const last = passed.at(-1);
  if (last !== undefined && Date.parse(last) >= since.getTime()) return undefined;

  const is = last === undefined ? 'No drill has passed.' : `The last drill that passed was on ${last}.`;

  return { resource: name, is, shouldBe: `A drill passes every ${drift.drillInterval}.` };
}

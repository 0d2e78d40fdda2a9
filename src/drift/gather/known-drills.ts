import { z } from 'zod';
import type { AuditEntry } from '../../audit/record.ts';
import type { KnownDrill } from '../report/report.ts';

// The audit record of a drill is all that the check knows of it.

export const DRILL_ACTION = 'drill.run';
/** Maximum length of the failure in the report. */
const MOST_TEXT = 500;

const DRILL = z.object({
  action: z.literal(DRILL_ACTION),
  reason: z.enum(['DrillPassed', 'DrillFailed']),
  resource: z.string(),
  details: z.object({
    endedOn: z.iso.datetime(),
    steps: z.array(z.object({ step: z.string(), passed: z.boolean(), detail: z.string() })),
  }),
});

/** Parses an audit record; undefined if it is no drill. */
export function parseDrillRecord(entry: AuditEntry): KnownDrill | undefined {
  const { data } = DRILL.safeParse(entry);
  if (!data) return undefined;

  const { endedOn: on, steps } = data.details;
  const key = data.resource.toLowerCase();
  if (data.reason === 'DrillPassed') return { key, on, passed: true, passedOn: on };

  const failed = steps.find(({ passed }) => !passed);
  const failure = failed ? `${failed.step}: ${failed.detail}` : 'no step is recorded';

  return { key, on, passed: false, failure: failure.slice(0, MOST_TEXT) };
}

/**
 * Finds the last drill of each key, and when a drill of it last passed.
 *
 * @param before drills that the previous check knew
 * @param drills of the audit trail since then, in any order
 */
export function findLastDrills(before: readonly KnownDrill[], drills: readonly KnownDrill[]): KnownDrill[] {
  return [...Map.groupBy([...before, ...drills], ({ key }) => key).values()].flatMap((of) => {
    const last = findLatest(of, ({ on }) => on);
    const passedOn = findLatest(of, (drill) => drill.passedOn)?.passedOn;
    return last ? [{ ...last, ...(passedOn ? { passedOn } : {}) }] : [];
  });
}

function findLatest(
  drills: readonly KnownDrill[],
  timeOf: (drill: KnownDrill) => string | undefined,
): KnownDrill | undefined {
  const msOf = (drill: KnownDrill): number => Date.parse(timeOf(drill) ?? '') || 0;
  return drills.toSorted((a, b) => msOf(b) - msOf(a))[0];
}

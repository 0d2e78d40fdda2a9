import { z } from 'zod';
import { HttpProblem } from '../../http/problem.ts';
import { causeKey } from '../causes.ts';
import { type DriftDetails, FINDING, FIX } from '../report.ts';

/** Findings on one page. */
const PAGE_SIZE = 200;

const CAUSE_ID = /^[\w-]{1,100}$/;

/** Some of the findings of a report. */
export const FINDINGS_PAGE = z.object({
  value: z.array(
    FINDING.extend({
      fixed: FIX.pick({ outcome: true, detail: true }).optional().describe('What became of fixing it in this check.'),
    }),
  ),
  nextLink: z.string().optional().describe('Where the next of them are; absent: these were the last.'),
});
export type FindingsPage = z.output<typeof FINDINGS_PAGE>;

/** What of the findings of a report is asked for. */
export interface FindingsQuery {
  /** Id of a cause; undefined: all. */
  readonly cause: string | undefined;
  readonly skip: number;
}

/** @throws {@link HttpProblem} `QueryInvalid` */
export function findingsQuery(query: Pick<URLSearchParams, 'get'>): FindingsQuery {
  const cause = query.get('cause') ?? undefined;
  const skip = query.get('skip') ?? '0';
  if (CAUSE_ID.test(cause ?? 'x') && /^\d{1,9}$/.test(skip)) return { cause, skip: Number(skip) };
  throw new HttpProblem(
    400,
    'QueryInvalid',
    'The parameter cause is the id of a cause, and skip a whole number.',
    'Take the id of the cause from the report, and follow nextLink for more.',
  );
}

/** One page of the findings of a cause; the findings of a cause that the report does not have are none. */
export function findingsPage(report: string, { findings, fixes }: DriftDetails, asked: FindingsQuery): FindingsPage {
  const { cause, skip } = asked;
  const all = findings.filter((finding) => cause === undefined || causeKey(finding) === cause);
  const fixed = new Map(fixes.map(({ finding, outcome, detail }) => [finding, { outcome, detail }]));
  const next = skip + PAGE_SIZE;
  const of = cause === undefined ? '' : `cause=${cause}&`;
  return {
    value: all.slice(skip, next).map((finding) => {
      const became = fixed.get(finding.id);
      return became ? { ...finding, fixed: became } : finding;
    }),
    ...(next < all.length ? { nextLink: `/api/drift/${report}/findings?${of}skip=${next}` } : {}),
  };
}

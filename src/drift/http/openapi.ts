import { z } from 'zod';
import { type ApiOperation, STORAGE_UNREAD } from '../../http/openapi.ts';
import { DRIFT_REPORT, DRIFT_SUMMARY } from '../report.ts';
import { TREND } from '../trend/trend.ts';
import { FINDINGS_PAGE } from './findings-page.ts';

/** The calls about drift, and about the last days. */
export const DRIFT_OPERATIONS: readonly ApiOperation[] = [
  {
    id: 'driftReport',
    method: 'get',
    path: '/drift',
    summary: 'The newest drift report.',
    role: 'CmkKey.Read',
    responses: { 200: { description: 'The report.', schema: 'DriftReport' } },
    problems: { 404: ['NoDriftReport'], ...STORAGE_UNREAD },
  },
  {
    id: 'runDriftCheck',
    method: 'post',
    path: '/drift',
    summary: 'Check for drift now, and fix what CMK_AUTOFIX names.',
    role: 'Cmk.Operate',
    responses: {
      200: { description: 'The report.', schema: 'DriftReport' },
      202: { description: 'The check takes longer; its report will be at `location`.', schema: 'DriftStarted' },
    },
  },
  {
    id: 'driftHistory',
    method: 'get',
    path: '/drift/history',
    summary: 'The reports there are, newest first, with their numbers.',
    role: 'CmkKey.Read',
    responses: { 200: { description: 'At most 200 of them.', schema: 'DriftHistory' } },
    problems: STORAGE_UNREAD,
  },
  {
    id: 'driftReportById',
    method: 'get',
    path: '/drift/{report}',
    summary: 'One drift report.',
    role: 'CmkKey.Read',
    parameters: [{ name: 'report', in: 'path', description: 'Id of the report.', schema: z.string().min(1).max(100) }],
    responses: {
      200: { description: 'The report.', schema: 'DriftReport' },
      202: { description: 'The check is still under way.', schema: 'DriftStarted' },
    },
    problems: { 404: ['NoDriftReport'], 410: ['DriftCheckLost'], ...STORAGE_UNREAD },
  },
  {
    id: 'driftFindings',
    method: 'get',
    path: '/drift/{report}/findings',
    summary: 'The findings of a drift report, page by page.',
    description: 'Of a cause with many findings a report lists a sample; here is all of it.',
    role: 'CmkKey.Read',
    parameters: [
      {
        name: 'report',
        in: 'path',
        description: 'Id of the report, or `newest`.',
        schema: z.string().min(1).max(100),
      },
      {
        name: 'cause',
        in: 'query',
        description: 'Only those of this cause.',
        schema: z.string().max(100).optional(),
      },
      { name: 'skip', in: 'query', description: 'Leave out so many; `nextLink` has it.', schema: z.int().optional() },
    ],
    responses: { 200: { description: 'At most 200 of them, and where the next are.', schema: 'DriftFindings' } },
    problems: { 400: ['QueryInvalid'], 404: ['NoDriftReport'], ...STORAGE_UNREAD },
  },
  {
    id: 'trend',
    method: 'get',
    path: '/trend',
    summary: 'The last 30 days, one entry a day (UTC), the oldest first.',
    description:
      'Findings and accounts behind as the last drift check of the day found them; rotations, revocations and restores as the audit trail has them. The drift check sums a day up; what has happened today since is read.',
    role: 'CmkKey.Read',
    responses: { 200: { description: 'Always 30 entries; what is not known of a day is absent.', schema: 'Trend' } },
    conditional: true,
    problems: STORAGE_UNREAD,
  },
];

/** Their answers, by the names used above. */
export const DRIFT_RESPONSES = {
  DriftReport: DRIFT_REPORT,
  DriftFindings: FINDINGS_PAGE,
  Trend: TREND,
  DriftHistory: z.object({ reports: z.array(DRIFT_SUMMARY) }),
  DriftStarted: z.object({
    id: z.string(),
    location: z.string().describe('Where the report will be.'),
    state: z.literal('running'),
    startedOn: z.iso.datetime(),
    by: z.enum(['timer', 'operator']),
    caller: z.string().optional().describe('Object id of the operator.'),
  }),
};

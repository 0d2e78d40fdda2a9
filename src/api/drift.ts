import type { HttpResponseInit } from '@azure/functions';
import { z } from 'zod';
import { abortAfter, untilAborted } from '../azure/deadline.ts';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import { shorten } from '../drift/causes.ts';
import { releaseChange } from '../drift/changes/release-change.ts';
import { lostBecause, type RunningCheck } from '../drift/drift-run.ts';
import { DRIFT_REPORT, DRIFT_SUMMARY, type DriftReport } from '../drift/report.ts';
import { runDriftCheck } from '../drift/run-drift-check.ts';
import { TREND, TrendReader } from '../drift/trend.ts';
import { conditional, jsonResponse } from '../http/answers.ts';
import { REASON, TICKET } from '../http/json-body.ts';
import { HttpProblem, orUnavailable } from '../http/problem.ts';
import { auditedCaller } from '../http/token-claims.ts';
import type { Log } from '../log.ts';
import type { Services } from '../services.ts';
import { fromDriftStorage } from '../views/read-now.ts';
import { type Route, route } from './route.ts';

/** Of this instance. */
const trendReader = new TrendReader();

export const DRIFT_STARTED = z.object({
  id: z.string(),
  location: z.string().describe('Where the report will be.'),
  state: z.literal('running'),
  startedOn: z.iso.datetime(),
  by: z.enum(['timer', 'operator']),
  caller: z.string().optional().describe('Object id of the operator.'),
});

const RELEASE_REQUEST = z.strictObject({
  account: z
    .string()
    .max(500)
    .refine((id) => parseStorageAccountId(id) !== undefined, 'is not the ARM id of a storage account')
    .describe('ARM id of the storage account.'),
  reason: REASON,
  ticket: TICKET,
});
const RELEASED = z.object({
  account: z.string(),
  audit: z.string().describe('`written`, or why the audit trail could not be written.'),
});

const REPORT = { report: { description: 'Id of the report.', schema: z.string().min(1).max(100) } } as const;
const REPORT_ANSWER = { description: 'The report.', schema: { DriftReport: DRIFT_REPORT } } as const;

/** Drift, and the last days. */
export const DRIFT_ROUTES: readonly Route[] = [
  route({
    id: 'driftReport',
    method: 'GET',
    path: '/drift',
    summary: 'The newest drift report.',
    role: 'CmkKey.Read',
    reach: 'fleet',
    answers: { 200: REPORT_ANSWER },
    refusals: ['NoDriftReport', 'ServiceUnavailable'],
    handle: ({ services }) => showReport(undefined, services),
  }),
  route({
    id: 'runDriftCheck',
    method: 'POST',
    path: '/drift',
    summary: 'Check for drift now, and fix what CMK_AUTOFIX names.',
    // Not CmkKey.Read: it also fixes what CMK_AUTOFIX names.
    role: 'Cmk.Operate',
    reach: 'fleet',
    answers: {
      200: REPORT_ANSWER,
      202: {
        description: 'The check takes longer; its report will be at `location`.',
        schema: { DriftStarted: DRIFT_STARTED },
      },
    },
    handle: ({ caller, services, log, correlationId }) =>
      startDriftCheck({ id: correlationId, caller: caller.objectId }, services, log),
  }),
  route({
    id: 'releaseChange',
    method: 'POST',
    path: '/drift/release',
    summary:
      'Have the app repair an account again that it stopped repairing, since another party undid the repairs (ContestedChange).',
    role: 'Cmk.Operate',
    reach: 'fleet',
    body: { ReleaseRequest: RELEASE_REQUEST },
    answers: { 200: { description: 'It is released.', schema: { Released: RELEASED } } },
    refusals: ['NotContested', 'ServiceUnavailable'],
    async handle({ caller, correlationId, services, log, ...call }) {
      const { account, reason, ticket } = await call.body();
      const order = { caller: auditedCaller(caller), correlationId, reason, ticket, account };
      const released = await orUnavailable(
        () => releaseChange(order, services, log),
        (why) => `It is not known whether the account is released: ${why}`,
        'Repeat the call in a minute: NotContested says that it is released.',
      );
      if (released) return jsonResponse(200, released);
      throw new HttpProblem('NotContested');
    },
  }),
  route({
    id: 'driftHistory',
    method: 'GET',
    path: '/drift/history',
    summary: 'All reports, newest first, with their counts.',
    role: 'CmkKey.Read',
    reach: 'fleet',
    answers: {
      200: {
        description: 'At most 200 reports.',
        schema: { DriftHistory: z.object({ reports: z.array(DRIFT_SUMMARY) }) },
      },
    },
    refusals: ['ServiceUnavailable'],
    handle: async ({ services }) =>
      jsonResponse(200, { reports: await fromDriftStorage(() => services.driftStorage.history()) }),
  }),
  route({
    id: 'driftReportById',
    method: 'GET',
    path: '/drift/{report}',
    summary: 'One drift report.',
    role: 'CmkKey.Read',
    reach: 'fleet',
    params: REPORT,
    answers: {
      200: REPORT_ANSWER,
      202: { description: 'The check is still under way.', schema: { DriftStarted: DRIFT_STARTED } },
    },
    refusals: ['NoDriftReport', 'DriftCheckLost', 'ServiceUnavailable'],
    handle: ({ request, services }) => showReport(request.params.report ?? '', services),
  }),
  route({
    id: 'trend',
    method: 'GET',
    path: '/trend',
    summary: 'The last 30 days, one entry a day (UTC), the oldest first.',
    description:
      'Findings, and accounts behind their key, from the last drift check of the day; rotations, revocations and restores from the audit trail. The drift check stores the sums of a day; what happened since is read from the trail.',
    role: 'CmkKey.Read',
    reach: 'fleet',
    answers: {
      200: { description: 'Always 30 entries; unknown values of a day are absent.', schema: { Trend: TREND } },
    },
    conditional: true,
    refusals: ['ServiceUnavailable'],
    async handle({ request, services }) {
      const value = await orUnavailable(
        () => trendReader.read(services),
        (why) => `The stored days cannot be read: ${why}`,
      );
      return conditional(request.headers, jsonResponse(200, { value }), value);
    },
  }),
];

/** How long a call waits for its check, before a proxy in between would time out. Milliseconds. */
const WAIT_MS = 20_000;
/** Deadline of a check that an operator started. Milliseconds. */
const DEADLINE_MS = 10 * 60_000;

/** Starts a check; answers with its report, or with where it will be. */
export async function startDriftCheck(
  { id, caller }: { readonly id: string; readonly caller: string },
  services: Services,
  log: Log,
  waitMs = WAIT_MS,
): Promise<HttpResponseInit> {
  const running = abortAfter(
    (signal) => runDriftCheck({ id, by: 'operator', caller, signal }, services, log),
    DEADLINE_MS,
  );
  const check: RunningCheck = { id, startedOn: services.now().toISOString(), by: 'operator', caller };
  const isDone = await abortAfter((signal) => untilAborted(running, signal), waitMs);
  if (isDone) return jsonResponse(200, shorten(await running));
  running.catch((error: unknown) => {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    log({ level: 'error', reason: 'Unexpected', message, report: id });
  });
  return stillRunning(check);
}

/** The report of that id, or the newest one without an id. */
export async function showReport(
  id: string | undefined,
  { driftStorage, now }: Pick<Services, 'driftStorage' | 'now'>,
): Promise<HttpResponseInit> {
  const report = await fromDriftStorage(async (): Promise<DriftReport | RunningCheck | undefined> => {
    if (id === undefined) return driftStorage.newest();
    // The id becomes part of a name.
    if (!/^[\w-]{1,100}$/.test(id)) return undefined;
    // A check is written down before it begins and struck off after its report is written, so that one of the two is there.
    const begun = await driftStorage.begun(id);
    return (await driftStorage.get(id)) ?? begun;
  });
  if (report && 'findings' in report) return jsonResponse(200, report);
  if (report) return stillRunning(report, now());
  throw new HttpProblem('NoDriftReport', id === undefined ? {} : { detail: 'There is no drift report of that id.' });
}

/** @throws {@link HttpProblem} `DriftCheckLost` for a check whose report will not come any more */
function stillRunning(check: RunningCheck, now?: Date): HttpResponseInit {
  const { id, startedOn, by, caller } = check;
  const lost = now && lostBecause(check, now);
  if (lost) {
    throw new HttpProblem('DriftCheckLost', { detail: `The check that began on ${startedOn} has no report. ${lost}` });
  }
  const location = `/api/drift/${encodeURIComponent(id)}`;
  const answer = jsonResponse(202, { id, location, state: 'running', startedOn, by, ...(caller ? { caller } : {}) });
  return { ...answer, headers: { ...(answer.headers as Record<string, string>), location, 'retry-after': '10' } };
}

import type { HttpResponseInit } from '@azure/functions';
import { z } from 'zod';
import { abortAfter, untilAborted } from '../azure/deadline.ts';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import { releaseChange } from '../drift/changes/release-change.ts';
import { shorten } from '../drift/report/causes.ts';
import { explainLostCheck, type RunningCheck } from '../drift/report/drift-run.ts';
import { DRIFT_REPORT, DRIFT_SUMMARY, type DriftReport, type WholeReport } from '../drift/report/report.ts';
import { TREND, TrendReader } from '../drift/report/trend.ts';
import { runDriftCheck } from '../drift/run-drift-check.ts';
import { getStack } from '../errors/errors.ts';
import type { Log } from '../errors/log.ts';
import { answerConditionally, createJsonResponse } from '../http/answers.ts';
import { AUDITED, REASON, TICKET } from '../http/json-body.ts';
import { HttpProblem, runOrUnavailable } from '../http/problem.ts';
import { toAuditedCaller } from '../http/token-claims.ts';
import type { Services } from '../services.ts';
import { readDriftStorage } from '../status/read-now.ts';
import { OPERATE, ok, READ, type Route, route } from './route.ts';

/** Reader of this instance. */
const trendReader = new TrendReader();

export const DRIFT_STARTED = z.object({
  id: z.string(),
  location: z.string().describe('Path of the future report.'),
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
  audit: AUDITED,
});

const REPORT = { report: { description: 'Id of the report.', schema: z.string().min(1).max(100) } } as const;
const REPORT_ANSWER = { description: 'The report.', schema: { DriftReport: DRIFT_REPORT } } as const;

/** Routes of drift checks, their reports and the trend. */
export const DRIFT_ROUTES: readonly Route[] = [
  route({
    id: 'driftReport',
    ...READ,
    path: '/drift',
    summary: 'Get the newest drift report.',
    reach: 'fleet',
    answers: { 200: REPORT_ANSWER },
    refusals: ['NoDriftReport', 'ServiceUnavailable'],
    handle: ({ services }) => showReport(undefined, services),
  }),
  route({
    id: 'runDriftCheck',
    ...OPERATE,
    path: '/drift',
    summary: 'Check for drift now, and repair the findings that CMK_AUTOFIX names.',
    description: 'Safe to repeat: a call joins the check that an earlier call started on the same instance.',
    // CmkKey.Read is not enough: the check also repairs findings that CMK_AUTOFIX names.
    reach: 'fleet',
    answers: {
      200: REPORT_ANSWER,
      202: {
        description: 'The check is still running; its report will be at `location`.',
        schema: { DriftStarted: DRIFT_STARTED },
      },
    },
    handle: ({ caller, services, log, correlationId }) =>
      startDriftCheck({ id: correlationId, caller: caller.objectId }, services, log),
  }),
  route({
    id: 'releaseChange',
    ...OPERATE,
    path: '/drift/release',
    summary:
      'Resume the repairs of an account, which the app stopped because another party undid them (ContestedChange).',
    reach: 'fleet',
    body: { ReleaseRequest: RELEASE_REQUEST },
    answers: ok('The app repairs the account again.', { Released: RELEASED }),
    refusals: ['NotContested', 'ServiceUnavailable'],
    async handle({ caller, correlationId, services, log, ...call }) {
      const { account, reason, ticket } = await call.body();
      const order = { caller: toAuditedCaller(caller), correlationId, reason, ticket, account };
      const released = await runOrUnavailable(
        () => releaseChange(order, services, log),
        (why) => `The app cannot tell whether the account was released: ${why}`,
        'Repeat the call in a minute: NotContested means that the account is released.',
      );
      if (released) return createJsonResponse(200, released);
      throw new HttpProblem('NotContested');
    },
  }),
  route({
    id: 'driftHistory',
    ...READ,
    path: '/drift/history',
    summary: 'List all reports with their counts, newest first.',
    reach: 'fleet',
    answers: ok('At most 200 reports.', { DriftHistory: z.object({ reports: z.array(DRIFT_SUMMARY) }) }),
    refusals: ['ServiceUnavailable'],
    handle: async ({ services }) =>
      createJsonResponse(200, { reports: await readDriftStorage(() => services.driftStorage.history()) }),
  }),
  route({
    id: 'driftReportById',
    ...READ,
    path: '/drift/{report}',
    summary: 'Get one drift report.',
    reach: 'fleet',
    params: REPORT,
    answers: {
      200: REPORT_ANSWER,
      202: { description: 'The check is still running.', schema: { DriftStarted: DRIFT_STARTED } },
    },
    refusals: ['NoDriftReport', 'DriftCheckLost', 'ServiceUnavailable'],
    handle: ({ request, services }) => showReport(request.params.report ?? '', services),
  }),
  route({
    id: 'trend',
    ...READ,
    path: '/trend',
    summary: 'Get the last 30 days, one entry per day (UTC), oldest first.',
    description:
      'The last drift check of a day supplies the findings and the accounts on an old key version. The audit trail supplies rotations, revocations and restores. The drift check stores daily sums; the app reads later events from the trail.',
    reach: 'fleet',
    answers: ok('Always 30 entries; unknown values of a day are absent.', { Trend: TREND }),
    conditional: true,
    refusals: ['ServiceUnavailable'],
    async handle({ request, services }) {
      const value = await runOrUnavailable(
        () => trendReader.read(services),
        (why) => `The app could not read the stored days: ${why}`,
      );
      return answerConditionally(request.headers, createJsonResponse(200, { value }), value);
    },
  }),
];

/** How long a call waits for its check, in milliseconds. A proxy may time out after a longer wait. */
const WAIT_MS = 20_000;
/** Deadline of a check that an operator started, in milliseconds. */
const DEADLINE_MS = 10 * 60_000;

interface StartedCheck {
  readonly check: RunningCheck;
  readonly report: Promise<WholeReport>;
}

/** The check that an operator started on this instance and that has not ended. */
let started: StartedCheck | undefined;

/**
 * Starts a check, or joins the running one: concurrent checks would fill the memory with copies of the fleet.
 * Answers with the report, or with the path of the future report.
 */
export async function startDriftCheck(
  by: { readonly id: string; readonly caller: string },
  services: Services,
  log: Log,
  waitMs = WAIT_MS,
): Promise<HttpResponseInit> {
  started ??= beginCheck(by, services, log);
  const { check, report } = started;
  const isDone = await abortAfter((signal) => untilAborted(report, signal), waitMs);
  return isDone ? createJsonResponse(200, shorten(await report)) : stillRunning(check);
}

function beginCheck({ id, caller }: { readonly id: string; readonly caller: string }, services: Services, log: Log) {
  const check: RunningCheck = { id, startedOn: services.now().toISOString(), by: 'operator', caller };
  const run = (signal: AbortSignal) => runDriftCheck({ id, by: 'operator', caller, signal }, services, log);
  const report = abortAfter(run, DEADLINE_MS);
  report
    .catch((error: unknown) => {
      const message = getStack(error);
      log({ level: 'error', reason: 'Unexpected', message, report: id });
    })
    .finally(() => {
      started = undefined;
    });

  return { check, report };
}

/** Returns the report with the given id; without an id, the newest report. */
export async function showReport(
  id: string | undefined,
  { driftStorage, now }: Pick<Services, 'driftStorage' | 'now'>,
): Promise<HttpResponseInit> {
  const report = await readDriftStorage(async (): Promise<DriftReport | RunningCheck | undefined> => {
    if (id === undefined) return driftStorage.newest();
    // The id becomes part of a blob name.
    if (!/^[\w-]{1,100}$/.test(id)) return undefined;
    // A check is stored before it starts, and is deleted after its report is written, so one of the two exists.
    const begun = await driftStorage.begun(id);
    return (await driftStorage.get(id)) ?? begun;
  });
  if (report && 'findings' in report) return createJsonResponse(200, report);
  if (report) return stillRunning(report, now());

  throw new HttpProblem('NoDriftReport', id === undefined ? {} : { detail: 'No drift report has this id.' });
}

/** @throws {@link HttpProblem} `DriftCheckLost` for a check that ended without a report */
function stillRunning(check: RunningCheck, now?: Date): HttpResponseInit {
  const { id, startedOn, by, caller } = check;
  const lost = now && explainLostCheck(check, now);
  if (lost) {
    throw new HttpProblem('DriftCheckLost', { detail: `The check that began on ${startedOn} has no report. ${lost}` });
  }
  const location = `/api/drift/${encodeURIComponent(id)}`;
  const answer = createJsonResponse(202, {
    id,
    location,
    state: 'running',
    startedOn,
    by,
    ...(caller ? { caller } : {}),
  });
  return { ...answer, headers: { ...(answer.headers as Record<string, string>), location, 'retry-after': '10' } };
}

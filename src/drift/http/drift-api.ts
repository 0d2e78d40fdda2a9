import type { HttpResponseInit } from '@azure/functions';
import { timeBoxed } from '../../azure/deadline.ts';
import { jsonResponse } from '../../http/json-response.ts';
import { orUnavailable } from '../../http/or-unavailable.ts';
import { HttpProblem } from '../../http/problem.ts';
import type { Log } from '../../log.ts';
import { REASONS } from '../../reasons.ts';
import { shorten } from '../causes.ts';
import type { DriftReport } from '../report.ts';
import { type DriftServices, runDriftCheck } from '../run-drift-check.ts';
import type { DriftStorage } from '../store/drift-storage-client.ts';
import { lostBecause, type RunningCheck } from '../store/running-check.ts';
import { type FindingsQuery, findingsPage } from './findings-page.ts';

/** A caller waits for a check so long, in milliseconds; a proxy on the way may give up soon after. */
const WAIT_MS = 20_000;
/** A check that an operator started has to be done after so long, in milliseconds. */
const DEADLINE_MS = 10 * 60_000;

/** Checks under way in this instance: known here even where they could not be written down. */
const underWay = new Map<string, RunningCheck>();

/** Starts a check; answers with its report, or with where it will be. */
export async function startDriftCheck(
  { id, caller }: { readonly id: string; readonly caller: string },
  services: DriftServices,
  log: Log,
  waitMs = WAIT_MS,
): Promise<HttpResponseInit> {
  const running = timeBoxed(
    (signal) => runDriftCheck({ id, by: 'operator', caller, signal }, services, log),
    DEADLINE_MS,
  );
  const check: RunningCheck = { id, startedOn: services.now().toISOString(), by: 'operator', caller };
  underWay.set(id, check);
  const settled = running.finally(() => underWay.delete(id));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), waitMs);
  });
  try {
    const report = await Promise.race([settled, late]);
    if (report) return jsonResponse(200, shorten(report));
  } finally {
    clearTimeout(timer);
  }
  settled.catch((error: unknown) => {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    log({ level: 'error', reason: 'Unexpected', message, report: id });
  });
  return stillRunning(check);
}

/** The report of that id, or the newest one without an id. */
export async function showReport(
  id: string | undefined,
  services: { readonly driftStorage: DriftStorage; readonly now: () => Date },
): Promise<HttpResponseInit> {
  const { driftStorage } = services;
  const report = await (id === undefined ? newestReport(services) : fromStorage(() => reportOf(id, driftStorage)));
  if (report && 'findings' in report) return jsonResponse(200, report);
  if (report) return stillRunning(report, services.now());
  throw noReport(id);
}

/** Undefined: there is none yet. @throws {@link HttpProblem} 503 */
export function newestReport({
  driftStorage,
}: {
  readonly driftStorage: Pick<DriftStorage, 'newest'>;
}): Promise<DriftReport | undefined> {
  return fromStorage(() => driftStorage.newest());
}

function noReport(id: string | undefined): HttpProblem {
  return new HttpProblem(
    404,
    'NoDriftReport',
    id === undefined ? REASONS.NoDriftReport : 'There is no drift report of that id.',
    'Start a check with POST /api/drift; GET /api/drift/history names the reports there are.',
  );
}

/** Findings of a report, page by page: what the report itself leaves out too. `newest` is the newest report. */
export async function showFindings(
  id: string,
  asked: FindingsQuery,
  { driftStorage }: { readonly driftStorage: DriftStorage },
): Promise<HttpResponseInit> {
  const report = await fromStorage(() => (id === 'newest' ? driftStorage.newest() : reportOf(id, driftStorage)));
  const details = report && 'findings' in report ? await fromStorage(() => driftStorage.details(report)) : undefined;
  if (report && details) return jsonResponse(200, findingsPage(report.id, details, asked));
  throw noReport(id);
}

/** A check is written down before it begins and struck off after its report is written, so that one of the two is there. */
async function reportOf(id: string, driftStorage: DriftStorage): Promise<DriftReport | RunningCheck | undefined> {
  // The id becomes part of a name.
  if (!/^[\w-]{1,100}$/.test(id)) return undefined;
  const begun = (await driftStorage.begun(id)) ?? underWay.get(id);
  return (await driftStorage.get(id)) ?? begun;
}

export async function showHistory({
  driftStorage,
}: {
  readonly driftStorage: DriftStorage;
}): Promise<HttpResponseInit> {
  return jsonResponse(200, { reports: await fromStorage(() => driftStorage.history()) });
}

const fromStorage = <T>(read: () => Promise<T>): Promise<T> =>
  orUnavailable(
    read,
    (why) => `The app's own storage cannot be read: ${why}`,
    'Repeat the call in a minute; if it stays, check the storage account of the app.',
  );

/** @throws {@link HttpProblem} `DriftCheckLost` for a check whose report will not come any more */
function stillRunning(check: RunningCheck, now?: Date): HttpResponseInit {
  const { id, startedOn, by, caller } = check;
  const lost = now && lostBecause(check, now);
  if (lost) {
    throw new HttpProblem(
      410,
      'DriftCheckLost',
      `The check that began on ${startedOn} has no report. ${lost}`,
      'Start another one with POST /api/drift; what is done twice does no harm.',
    );
  }
  const location = `/api/drift/${encodeURIComponent(id)}`;
  const answer = jsonResponse(202, { id, location, state: 'running', startedOn, by, ...(caller ? { caller } : {}) });
  return { ...answer, headers: { ...(answer.headers as Record<string, string>), location, 'retry-after': '10' } };
}

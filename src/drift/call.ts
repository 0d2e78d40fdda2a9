import type { HttpResponseInit } from '@azure/functions';
import { describeFailure } from '../azure/failure.ts';
import { timeBoxed } from '../azure/time-box.ts';
import type { HeaderReader } from '../http/headers.ts';
import { jsonResponse } from '../http/json-response.ts';
import { HttpProblem } from '../http/problem.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import type { Services } from '../services.ts';
import { describe } from '../work/outcome.ts';
import { driftPage, PAGE_POLICY } from './page.ts';
import type { DriftReport } from './report.ts';
import { runDriftCheck } from './run-drift-check.ts';

/** A caller waits for a check so long, in milliseconds; a proxy on the way may give up soon after. */
const WAIT_MS = 20_000;
/** A check that an operator started has to be done after so long, in milliseconds. */
const DEADLINE_MS = 10 * 60_000;

/** Checks under way in this instance, by the id of their report. */
const underWay = new Map<string, Promise<unknown>>();

/** Starts a check; answers with its report, or with where it will be. */
export async function startDriftCheck(
  { id, caller, headers }: { readonly id: string; readonly caller: string; readonly headers: HeaderReader },
  services: Services,
  log: Log,
  waitMs = WAIT_MS,
): Promise<HttpResponseInit> {
  const running = timeBoxed(
    (signal) => runDriftCheck({ id, by: 'operator', caller, signal }, services, log),
    DEADLINE_MS,
  );
  const settled = running.finally(() => underWay.delete(id));
  underWay.set(id, settled);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), waitMs);
  });
  try {
    const report = await Promise.race([settled, late]);
    if (report) return present(report, headers);
  } finally {
    clearTimeout(timer);
  }
  settled.catch((error: unknown) => {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    log({ level: 'error', reason: 'Unexpected', message, report: id });
  });
  return stillRunning(id);
}

/** The report of that id, or the newest one without an id. */
export async function showReport(
  id: string | undefined,
  headers: HeaderReader,
  { driftStorage }: Pick<Services, 'driftStorage'>,
): Promise<HttpResponseInit> {
  const report = await fromStorage(() => (id === undefined ? driftStorage.newest() : driftStorage.get(id)));
  if (report) return present(report, headers);
  if (id !== undefined && underWay.has(id)) return stillRunning(id);
  throw new HttpProblem(
    404,
    'NoDriftReport',
    id === undefined ? REASONS.NoDriftReport : 'There is no drift report of that id (yet).',
    'Start a check with POST /api/drift, or repeat this call once the check is done.',
  );
}

export async function showHistory({ driftStorage }: Pick<Services, 'driftStorage'>): Promise<HttpResponseInit> {
  return jsonResponse(200, { reports: await fromStorage(() => driftStorage.history()) });
}

async function fromStorage<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw new HttpProblem(
      503,
      'ServiceUnavailable',
      `The app's own storage cannot be read: ${describe(describeFailure(error))}`,
      'Repeat the call in a minute; if it stays, check the storage account of the app.',
      { cause: error },
    );
  }
}

function stillRunning(id: string): HttpResponseInit {
  const location = `/api/drift/${encodeURIComponent(id)}`;
  const answer = jsonResponse(202, { id, location });
  return { ...answer, headers: { ...(answer.headers as Record<string, string>), location, 'retry-after': '10' } };
}

/** As a page for whoever asks for one, else as JSON. */
function present(report: DriftReport, headers: HeaderReader): HttpResponseInit {
  if (!wantsPage(headers.get('accept') ?? '')) {
    const answer = jsonResponse(200, report);
    return { ...answer, headers: { ...(answer.headers as Record<string, string>), vary: 'accept' } };
  }
  return {
    status: 200,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `${PAGE_POLICY}; frame-ancestors 'none'`,
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      vary: 'accept',
    },
    body: driftPage(report),
  };
}

/** Whether `text/html` is asked for by name and no less than JSON. */
export function wantsPage(accept: string): boolean {
  const weights = new Map(
    accept.split(',').map((range) => {
      const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
      const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
      return [type, weight === undefined ? 1 : Number(weight) || 0] as const;
    }),
  );
  const page = weights.get('text/html') ?? 0;
  return page > 0 && page >= (weights.get('application/json') ?? 0);
}

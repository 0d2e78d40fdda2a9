import { randomUUID } from 'node:crypto';
import { type ArmRequest, type ArmRoutes, ok } from '../arm/arm-request.ts';
import { visibleSubscriptions } from '../arm/subscriptions.ts';
import { asArray, asObject, asString } from '../json.ts';
import { timestamp } from '../timestamp.ts';
import { evaluate, type Row } from './evaluate.ts';
import { parseQuery, QueryError, type Stage } from './query.ts';
import { takeQuery } from './quota.ts';
import { readableRows } from './rows.ts';

/** Rows on a page by default, and the maximum of `$top`. */
const DEFAULT_PAGE = 100;
const MAX_PAGE = 1_000;

/** Azure Resource Graph, for the queries of this project. */
export const resourceGraphRoutes: ArmRoutes = {
  'POST microsoft.resourcegraph/resources': (request) => {
    const quota = takeQuery(request.world, request.caller.principal.objectId);
    if (!quota.granted) {
      const message =
        'Client application has been throttled and should not attempt to repeat the request until an amount of time has elapsed. Please see https://aka.ms/resourcegraph-throttling for help.';
      return refuse(request, 429, 'RateLimiting', [{ code: 'RateLimiting', message }], quota.headers);
    }
    const answer = query(request);
    for (const [name, value] of Object.entries(quota.headers)) answer.headers.set(name, value);
    return answer;
  },
};

function query(request: ArmRequest): Response {
  const subscriptions = askedSubscriptions(request);
  if (subscriptions.size === 0) {
    const message = 'The caller has no access to any of the subscriptions that the query is about.';
    return refuse(request, 403, 'AccessDenied', [{ code: 'AccessDenied', message }]);
  }

  try {
    const stages = parseQuery(asString(request.body.query) ?? '');
    const rows = evaluate(stages, readableRows(request, subscriptions));
    return ok(page(request, stages, rows));
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
    return refuse(request, 400, 'BadRequest', [
      {
        code: 'InvalidQuery',
        message:
          'Query is invalid. Please refer to the documentation for the Azure Resource Graph service and fix the error before retrying.',
      },
      { code: 'ParserFailure', message: error.message },
    ]);
  }
}

/** The subscriptions in the request that the caller may see; all of those if the request names none. */
function askedSubscriptions(request: ArmRequest): Set<string> {
  const visible = visibleSubscriptions(request).map(({ subscriptionId }) => subscriptionId);
  const asked = asArray(request.body.subscriptions)?.map((id) => String(id).toLowerCase());
  return new Set(asked && asked.length > 0 ? visible.filter((id) => asked.includes(id)) : visible);
}

function page(request: ArmRequest, stages: readonly Stage[], rows: readonly Row[]): Record<string, unknown> {
  const options = asObject(request.body.options) ?? {};
  const { start, size } = placeOf(options);
  const top = options.$top ?? size;
  if (typeof top !== 'number' || !Number.isInteger(top) || top < 1 || top > MAX_PAGE) {
    throw new QueryError(`$top must be from 1 to ${MAX_PAGE}.`);
  }

  const data = rows.slice(start, start + top);
  const next = start + data.length;
  const more = next < rows.length;

  // A page can be continued only if its rows can be distinguished.
  const resumable = !stages.some((stage) => stage.stage === 'project' && !stage.columns.includes('id'));

  return {
    totalRecords: rows.length,
    count: data.length,
    data,
    facets: [],
    resultTruncated: more && !resumable ? 'true' : 'false',
    ...(more && resumable ? { $skipToken: skipToken(next, top) } : {}),
  };
}

/** A token contains the page size, so that the next request need not repeat it (recorded). */
export function skipToken(start: number, size: number): string {
  return Buffer.from(`from ${start} by ${size}`).toString('base64url');
}

function placeOf(options: Record<string, unknown>): { start: number; size: number } {
  const token = asString(options.$skipToken);
  if (token === undefined) return { start: typeof options.$skip === 'number' ? options.$skip : 0, size: DEFAULT_PAGE };
  const match = /^from (\d+) by (\d+)$/.exec(Buffer.from(token, 'base64url').toString());
  if (!match) throw new QueryError('The $skipToken is not one of this query.');
  return { start: Number(match[1]), size: Number(match[2]) };
}

/** An error in the form of Resource Graph: its cause is in `details`. */
function refuse(
  { world }: ArmRequest,
  status: number,
  code: string,
  details: readonly { code: string; message: string }[],
  headers: Record<string, string> = {},
): Response {
  const message = `Please provide below info when asking for support: timestamp = ${timestamp(world.clock.nowMs())}, correlationId = ${randomUUID()}.`;
  return ok({ error: { code, message, details } }, status, headers);
}

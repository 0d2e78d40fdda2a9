import type { HttpHandler, HttpRequest, HttpResponseInit, InvocationContext } from '@azure/functions';
import { DeadlineError, untilAborted, withDeadline } from '../azure/deadline.ts';
import { CmkError, getStack } from '../errors/errors.ts';
import { type Log, logToConsole } from '../errors/log.ts';
import { REASONS } from '../errors/reasons.ts';
import { type Act, canReachKey, narrowError, type Reach, type RouteKey, requireAccess } from '../http/access.ts';
import type { HeaderReader } from '../http/answers.ts';
import { readJsonBody } from '../http/json-body.ts';
import { type AnswerContext, HttpProblem, toProblemResponse } from '../http/problem.ts';
import { parseCallQuery } from '../http/query.ts';
import { describeCaller } from '../http/token-claims.ts';
import type { Services } from '../services.ts';
import { CallerLimits } from './rates.ts';
import { RefusalLog } from './refusal-log.ts';
import type { Call, Route } from './route.ts';

/** Azure's load balancer ends a call after 230 s ("Azure Functions scale and hosting", time-out duration). */
export const CALL_LIMIT_MS = 200_000;

const TIME_UP = 'The app did not answer the call';

/** Limits of this instance. */
const limits = new CallerLimits();
export const refusalLog = new RefusalLog(logToConsole);

/** Services that the registration of the functions passes to the calls. */
interface CallHost {
  readonly logOf: (context: InvocationContext) => Log;
  /** @throws {@link SettingsError} */
  readonly services: (log: Log) => Services;
}

/**
 * Answers a call: checks the token, then the caller's rate, then the caller's role, before it runs the handler.
 * Converts every rejection and error to problem details. Logs every answer with the caller.
 */
export function answerCalls(route: Route, host: CallHost): HttpHandler {
  return async (request, context) => {
    const log = host.logOf(context);
    const record = recordOf(request, context);
    const answering: AnswerContext = {
      correlationId: context.invocationId,
      onUnexpected: (error) => {
        const message = getStack(error);
        log({ level: 'error', reason: 'Unexpected', message, ...record });
      },
    };

    let callerFields: Readonly<Record<string, unknown>> | undefined;
    try {
      const services = servicesOfCall(host, log);
      const caller = await services.authenticate(request.headers, services.now());

      callerFields = describeCaller(caller);

      const act = actOf(route, new URL(request.url).searchParams);
      const noteKey = (key: RouteKey): void => {
        record.key ??= nameForLog(key);
      };
      const arrived = { act, request, caller, services, log, noteKey, ...answering };
      const limited = { caller: caller.objectId, act, lane: laneOf(route, act, request.params) };

      // The time limit starts when the call arrives.
      const answer = await withDeadline(CALL_LIMIT_MS, TIME_UP, (signal) =>
        limits.run(limited, performance.now(), () => answerCaller(route, arrived, signal)),
      );
      const { status } = answer;

      log({ level: 'info', reason: 'CallAnswered', message: REASONS.CallAnswered, ...record, ...callerFields, status });

      return answer;
    } catch (error) {
      const refused = error instanceof DeadlineError ? timedOut(error) : error;
      if (refused instanceof HttpProblem) {
        const { reason: because, message, status, logged } = refused;
        refusalLog.record({ message, because, status, ...record, ...callerFields, ...logged }, log);
      }

      return toProblemResponse(refused, answering);
    }
  };
}

interface ArrivedCall extends Pick<Call, 'caller' | 'services' | 'log' | 'correlationId' | 'onUnexpected'> {
  readonly request: HttpRequest;
  readonly act: Act;
  readonly noteKey: (key: RouteKey) => void;
}

/** Runs the handler if the caller's role reaches the resource of the call. */
async function answerCaller(
  route: Route,
  { act, request, noteKey, ...call }: ArrivedCall,
  signal: AbortSignal,
): Promise<HttpResponseInit> {
  // The time limit may have passed while the call waited.
  signal.throwIfAborted();

  const { caller, services } = call;
  const { access } = services.settings;
  const { role } = route;
  const require = (key: RouteKey | undefined): void => {
    if (key) noteKey(key);
    requireAccess(caller, { role, act, reach: key ?? 'fleet' }, access);
  };

  requireAccess(caller, { role, act, reach: reachOf(route, request.params) }, access);

  try {
    // `request.query` is unsafe: the host joins the values of a repeated parameter.
    const query = parseCallQuery(new URL(request.url).searchParams, route.query ?? {});
    const [schema] = Object.values(route.body ?? {});
    const body = () => (schema ? readJsonBody(request, schema) : Promise.reject(new Error('The route has no body.')));
    const reaches = (key: RouteKey | undefined) => canReachKey(caller, role, key, access);
    const answer = route.handle({ ...call, request, query, body, require, reaches });

    // The permit is released when the time limit passes, even if the handler continues.
    await untilAborted(answer, signal);
    signal.throwIfAborted();

    return await answer;
  } catch (error) {
    throw narrowError(error, caller, role, access);
  } finally {
    // The cached state is invalid even after a failed call, which may have changed the key.
    if (act === 'revoke' || act === 'restore') services.nowBoard.changed(request.params.vault, services);
  }
}

/** A dry run counts as a read. A misspelled `dryRun` is rejected. */
function actOf({ method, act, query }: Route, sent: URLSearchParams): Act {
  if (method === 'GET' || (query?.dryRun && sent.get('dryRun') === 'true')) return 'read';
  return act ?? 'change';
}

/** Returns the lane of a call: its vault, or else its route. Dry runs have their own, because they read the whole fleet. */
function laneOf({ id, method }: Route, act: Act, { vault = id }: Readonly<Record<string, string>>): string {
  const isDryRun = act === 'read' && method !== 'GET';
  return isDryRun ? `${vault.toLowerCase()} dry run` : vault.toLowerCase();
}

/** Problem of a call that exceeded its time limit: its result is indeterminate. */
function timedOut(error: DeadlineError): HttpProblem {
  return new HttpProblem('ServiceUnavailable', {
    detail: `${error.message} Changes that it started may still take effect.`,
    nextStep: 'Read the status of the key, and repeat the call if the key is not in the expected state.',
    cause: error,
  });
}

/** Invalid settings reject every call. Only the log names these settings, because callers may be strangers. */
function servicesOfCall(host: CallHost, log: Log): Services {
  try {
    return host.services(log);
  } catch (error) {
    if (!(error instanceof CmkError)) throw error;
    const detail = 'A setting of the app is invalid, so the app rejects every call.';
    throw new HttpProblem('SettingsInvalid', { detail, cause: error });
  }
}

/** Log fields of a request. The caller may have forged any of them; the key and the id may not exist. */
function recordOf({ headers, method, params }: HttpRequest, context: InvocationContext) {
  const { id } = params;

  return {
    /** Name of the function. */
    call: context.functionName,
    method,
    key: nameForLog(keyNamed(params)),
    /** Of a re-key or an audit record. */
    id: id === undefined || /^[\w-]{1,64}$/.test(id) ? id : 'no id',
    address: addressOf(headers),
    correlationId: context.invocationId,
  };
}

/** Longest address in the log, in characters: enough for IPv6 in brackets with a port. */
const MAX_ADDRESS_LENGTH = 64;

/**
 * Returns the caller's address: the last entry of `X-Forwarded-For`, which Azure appends. The caller can forge earlier
 * entries. The address helps to find a caller but is no proof.
 */
function addressOf(headers: HeaderReader): string | undefined {
  const last = headers.get('x-forwarded-for')?.split(',').at(-1)?.trim();
  return last && last.length <= MAX_ADDRESS_LENGTH && /^[0-9a-f.:[\]]+$/i.test(last) ? last : undefined;
}

/** What the role must reach before the handler runs. */
function reachOf({ reach }: Route, params: Readonly<Record<string, string>>): Reach {
  if (reach !== 'key') return reach;

  // A path without a key is about the whole fleet.
  return keyNamed(params) ?? 'fleet';
}

/** Key that a path names; undefined for a route without a single key. */
function keyNamed({ vault, key }: Readonly<Record<string, string>>): RouteKey | undefined {
  return vault === undefined || key === undefined ? undefined : { vault, key };
}

/** Name of a key for the log. Replaces a text that is no valid key name. */
function nameForLog(named: RouteKey | undefined): string | undefined {
  if (!named) return undefined;
  const name = `${named.vault}/${named.key}`;
  return /^[\w-]{1,64}\/[\w-]{1,127}$/.test(name) ? name : 'invalid key name';
}

import type { HttpHandler, HttpRequest, HttpResponseInit } from '@azure/functions';
import { DeadlineError } from '../azure/deadline.ts';
import { CmkError } from '../errors.ts';
import type { Caller } from '../http/caller.ts';
import { HttpProblem, problemResponse } from '../http/problem.ts';
import { type Role, requireRole } from '../http/roles.ts';
import { contextLog, type Log } from '../log.ts';
import { type Services, services } from '../services.ts';
import { endBy, TIME_LIMITS } from './time-limits.ts';

export interface ApiCall {
  readonly request: HttpRequest;
  readonly caller: Caller;
  readonly services: Services;
  readonly log: Log;
  /** Finds this call in the log and in the audit trail. */
  readonly correlationId: string;
}

/**
 * A call of the HTTP API: the token is checked first, then the role, and only then is anything looked at. Every refusal
 * and every error becomes problem details.
 */
export function api(role: Role, handle: (call: ApiCall) => Promise<HttpResponseInit>): HttpHandler {
  return async (request, context) => {
    const log = contextLog(context);
    const correlationId = context.invocationId;
    try {
      const available = availableServices(log);
      const caller = await available.authenticate(request.headers, available.now());
      requireRole(caller, role);
      return await endBy(TIME_LIMITS.http, () => handle({ request, caller, services: available, log, correlationId }));
    } catch (thrown) {
      const error = thrown instanceof DeadlineError ? notDone(thrown) : thrown;
      if (error instanceof HttpProblem) {
        const { reason, message, status } = error;
        const level = status < 500 ? 'warning' : 'error';
        log({ level, reason: 'CallRefused', message, because: reason, status, correlationId });
      }
      return problemResponse(error, {
        correlationId,
        onUnexpected: (unexpected) => {
          const message = unexpected instanceof Error ? (unexpected.stack ?? unexpected.message) : String(unexpected);
          log({ level: 'error', reason: 'Unexpected', message, correlationId });
        },
      });
    }
  };
}

/** What a call has begun may still take effect: nobody can tell. */
function notDone(error: DeadlineError): HttpProblem {
  return new HttpProblem(
    503,
    'ServiceUnavailable',
    `${error.message} What was begun may still take effect.`,
    'Ask for the status of the key, and repeat the call if it is not as it should be.',
    { cause: error },
  );
}

/** Wrong settings refuse every call; which ones they are is for the log, not for the caller. */
function availableServices(log: Log): Services {
  try {
    return services();
  } catch (error) {
    if (!(error instanceof CmkError)) throw error;
    log({ level: 'error', reason: 'SettingsInvalid', message: error.message });
    throw new HttpProblem(
      503,
      'SettingsInvalid',
      'The app is not set up correctly; every call is refused.',
      "Have the app's operator look for SettingsInvalid in the log.",
      { cause: error },
    );
  }
}

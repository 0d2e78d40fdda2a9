import {
  app,
  type HttpHandler,
  type HttpRequest,
  type HttpResponseInit,
  type InvocationContext,
} from '@azure/functions';
import { DeadlineError } from '../azure/deadline.ts';
import { CmkError } from '../errors.ts';
import { type AccessAsked, type Act, asNarrowed, type RouteKey, requireAccess } from '../http/access.ts';
import { addressOf, type CallRecord, idNamed, keyNamed, nameForLog } from '../http/call-record.ts';
import { HttpProblem, problemResponse } from '../http/problem.ts';
import { CallerLimits } from '../http/rates.ts';
import { RefusalLog } from '../http/refusal-log.ts';
import { hasRole, type Role } from '../http/roles.ts';
import { type Caller, describeCaller } from '../http/token-claims.ts';
import { consoleLog, type Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import type { Services } from '../services.ts';
import { availableServices, logOf } from './available-services.ts';
import { nowBoard } from './snapshots.ts';
import { endBy, TIME_LIMITS } from './time-limits.ts';

export interface ApiCall {
  readonly request: HttpRequest;
  readonly caller: Caller;
  readonly services: Services;
  readonly log: Log;
  /** Finds this call in the log and in the audit trail. */
  readonly correlationId: string;
  /** Marks a call to revoke as valid: from then on it has used its allowance of revocations. */
  readonly markValid: () => void;
  /** For what tells only by what it holds which key it is about, and which role that takes. @throws {@link HttpProblem} */
  readonly requireOn: (key: RouteKey, other?: Role) => void;
  /** For what tells only by what it holds which role it takes. @throws {@link HttpProblem} */
  readonly requireFor: (asked: AccessAsked) => void;
}

/** Of this instance. */
const limits = new CallerLimits();
const refusals = new RefusalLog(consoleLog);
app.hook.appTerminate(() => refusals.flush());

/** Sets HSTS on every HTTP answer, those of the page and refusals included. One year, in seconds. */
app.hook.postInvocation((context) => {
  const answer = context.result as HttpResponseInit | undefined;
  if (context.invocationContext.options.trigger.type !== 'httpTrigger' || !answer) return;
  const headers = { ...(answer.headers as Record<string, string>), 'strict-transport-security': 'max-age=31536000' };
  context.result = { ...answer, headers };
});

/**
 * A call of the HTTP API: the token is checked first, then how often its holder calls, then whether they may, and only then
 * is anything looked at. Every refusal and every error becomes problem details, and all of it is logged with who it was.
 *
 * @param reach `later`: the handler asks by `requireOn` whether the role reaches the key, once it knows which
 * @param role of two roles either lets a caller begin: the handler asks by `requireFor` for the one that it takes
 * @param act what the call does; without it, reading for a GET and changing for everything else
 */
export function api(
  role: Role | readonly [Role, Role],
  handle: (call: ApiCall) => Promise<HttpResponseInit>,
  act: (request: HttpRequest) => Act = actOfMethod,
  reach?: 'later',
): HttpHandler {
  return async (request, context) => {
    const log = logOf(context);
    let record = recordOf(request, context);
    const { correlationId } = record;
    const note = (key: RouteKey): void => {
      record = { ...record, key: record.key ?? nameForLog(key) };
    };
    let who: Readonly<Record<string, unknown>> | undefined;
    try {
      const available = servicesOfCall(log);
      const caller = await available.authenticate(request.headers, available.now());
      who = describeCaller(caller);
      const answer = await answerTo(
        { request, caller, services: available, log, correlationId },
        { roles: typeof role === 'string' ? [role] : role, act: act(request), reach, note },
        handle,
      );
      log({
        level: 'info',
        reason: 'CallAnswered',
        message: REASONS.CallAnswered,
        ...record,
        ...who,
        status: answer.status,
      });
      return answer;
    } catch (error) {
      const refused = error instanceof DeadlineError ? notDone(error) : error;
      const about = { ...record, ...who };
      recordRefusal(refused, about, log);
      return answerRefused(refused, about, log);
    }
  };
}

async function answerTo(
  call: Omit<ApiCall, 'markValid' | 'requireOn' | 'requireFor'>,
  {
    roles,
    act,
    reach,
    note,
  }: {
    readonly roles: readonly [Role, Role?];
    readonly act: Act;
    readonly reach: 'later' | undefined;
    /** Told of a key that the call turns out to be about. */
    readonly note: (key: RouteKey) => void;
  },
  handle: (call: ApiCall) => Promise<HttpResponseInit>,
): Promise<HttpResponseInit> {
  const { caller, request, services } = call;
  const { access } = services.settings;
  const key = keyNamed(request.params);
  const role = roles.find((one) => one && hasRole(caller, one)) ?? roles[0];
  const requireFor = (asked: AccessAsked): void => {
    if (asked.key && asked.key !== 'later') note(asked.key);
    requireAccess(caller, asked, access);
  };
  const requireOn = (about: RouteKey, other = role): void => requireFor({ role: other, act, key: about });
  return inTurn({ caller: caller.objectId, act }, async (markValid) => {
    // Which of the two it takes says the handler; until then, neither is asked for what the other one need not have.
    const begun = roles.length > 1 ? 'read' : act;
    requireAccess(caller, { role, act: begun, key: reach ?? key }, access);
    try {
      return await endBy(TIME_LIMITS.http, async () => {
        try {
          return await handle({ ...call, markValid, requireOn, requireFor });
        } finally {
          if (act === 'revoke' || act === 'restore') {
            nowBoard.changed(request.params.vault, services);
          }
        }
      });
    } catch (error) {
      throw asNarrowed(error, caller, role, access);
    }
  });
}

/** Runs a call in its caller's lane. It ends in time from when it came; one that nobody waits for any more is not begun. */
async function inTurn<T>(
  limited: Parameters<CallerLimits['run']>[0],
  work: (markValid: () => void) => Promise<T>,
): Promise<T> {
  let isOver = false;
  const run = async (markValid: () => void): Promise<T> => {
    if (isOver) throw new Error('Time was up before its turn came.');
    return work(markValid);
  };
  try {
    return await endBy(TIME_LIMITS.http, () => limits.run(limited, performance.now(), run));
  } finally {
    isOver = true;
  }
}

function actOfMethod({ method }: HttpRequest): Act {
  return method === 'GET' ? 'read' : 'change';
}

function recordOf(request: HttpRequest, context: InvocationContext): CallRecord {
  return {
    call: context.functionName,
    method: request.method,
    key: nameForLog(keyNamed(request.params)),
    id: idNamed(request.params),
    address: addressOf(request.headers),
    correlationId: context.invocationId,
  };
}

function recordRefusal(error: unknown, record: CallRecord & { readonly caller?: unknown }, log: Log): void {
  if (!(error instanceof HttpProblem)) return;
  const { reason: because, message, status, logged } = error;
  refusals.record({ message, because, status, ...record, ...logged }, log);
}

function answerRefused(error: unknown, record: CallRecord, log: Log): HttpResponseInit {
  return problemResponse(error, {
    correlationId: record.correlationId,
    onUnexpected: (unexpected) => {
      const message = unexpected instanceof Error ? (unexpected.stack ?? unexpected.message) : String(unexpected);
      log({ level: 'error', reason: 'Unexpected', message, ...record });
    },
  });
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
function servicesOfCall(log: Log): Services {
  try {
    return availableServices(log);
  } catch (error) {
    if (!(error instanceof CmkError)) throw error;
    throw new HttpProblem(
      503,
      'SettingsInvalid',
      'The app is not set up correctly; every call is refused.',
      "Have the app's operator look for SettingsInvalid in the log.",
      { cause: error },
    );
  }
}

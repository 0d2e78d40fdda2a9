import type { HttpClient, PipelinePolicy, PipelineRequest, PipelineResponse } from '@azure/core-rest-pipeline';
import { abortAfter, asSignal, DeadlineError, deadlineHttp, untilAborted } from './deadline.ts';
import { describeFailure } from './failure.ts';
import { parseJson } from './parse-json.ts';

/** Time limits and retries of calls to Azure. */
export interface CallLimits {
  /** Deadline of a request, such as a page of a list, in milliseconds. */
  readonly requestMs: number;
  /** Deadline of a writing request, in milliseconds; absent: `requestMs`. */
  readonly writeMs?: number;
  /**
   * Deadline of a whole write, in milliseconds; absent: no deadline. Includes getting a token and a retry with another
   * token, which Azure may request (continuous access evaluation).
   */
  readonly wholeWriteMs?: number;
  /** Number of retries of a read. */
  readonly repeats: number;
  /**
   * Longest pause for a service's `Retry-After`, in milliseconds. Zero: a throttled call is not retried, and the caller
   * gets the `Retry-After`.
   */
  readonly longestWaitMs: number;
  /** Whether a write is retried after a 429, which guarantees that nothing was written. */
  readonly refusedWrites?: boolean;
  /** Called before each throttling pause, with its milliseconds. */
  readonly onWait?: (ms: number) => void;
  readonly onceMoreAfterHang?: boolean;
  /** URLs to retry; absent: all. */
  readonly only?: RegExp;
}

/** Maximum number of requests in flight per use case. */
export const CONCURRENCY = 8;

const RESOURCE_MANAGER = { requestMs: 15_000, repeats: 2, longestWaitMs: 0 };

export const LIMITS = {
  /**
   * A person waits, and a hanging request must not delay the others. A version list continues after a page that hung;
   * the caller repeats every other call.
   */
  breakGlass: {
    requestMs: 3_000,
    repeats: 1,
    onceMoreAfterHang: true,
    longestWaitMs: 1_000,
    only: /^https:\/\/[^/]+\/keys\/[^/]+\/versions\?/,
  },
  /** Key Vault answers in well under a second. Slower calls and `Retry-After` requeue the message. */
  keyWork: { requestMs: 12_000, wholeWriteMs: 20_000, repeats: 2, onceMoreAfterHang: true, longestWaitMs: 0 },
  /** Role assignments of a Managed HSM, which answers few such calls per second and may throttle. */
  localRoles: { requestMs: 12_000, repeats: 2, longestWaitMs: 5_000 },
  /** A waiting operator prefers a delay to a restart; keys in hardware are slow. */
  operator: { requestMs: 60_000, repeats: 3, longestWaitMs: 10_000 },
  /**
   * Azure Resource Manager for the command line. A command for many accounts may exceed Storage's budget: 800 reads in
   * five minutes per subscription and region, shared by all callers. So the operator waits for the full `Retry-After`.
   */
  commandLine: { ...RESOURCE_MANAGER, writeMs: 60_000, repeats: 4, longestWaitMs: 300_000, refusedWrites: true },
  /** Reads of Azure Resource Manager, and its writes without measured durations. */
  resourceManager: { ...RESOURCE_MANAGER, writeMs: 60_000 },
  /**
   * An account or a scope: a PATCH took up to 36 s (recordings of the real service). Reads have no retries, because a
   * requeued message costs nothing while it is hidden.
   */
  storageManagement: { ...RESOURCE_MANAGER, repeats: 0, writeMs: 60_000, wholeWriteMs: 60_000 },
  /** Queries while a person waits for the blast radius. */
  resourceGraph: { ...RESOURCE_MANAGER, repeats: 1 },
  /** A query over months of logs is slow, and no version is retired without its result. */
  logAnalytics: { requestMs: 60_000, repeats: 0, longestWaitMs: 0 },
  /** A cache in the app's own storage: if it is slow, the caller continues without it. */
  ownTables: { requestMs: 3_000, repeats: 1, longestWaitMs: 500 },
} as const satisfies Record<string, CallLimits>;

/**
 * Deadline of a request to the app's own storage including its two or three attempts, in milliseconds. The storage is
 * near and answers in milliseconds, but a report can be megabytes.
 */
export const OWN_STORAGE_MS = 10_000;

/** Deadline of the app's token, in milliseconds: its endpoint is on the same machine. */
export const APP_TOKEN_MS = 5_000;

/** Deadline of an operator's token, in milliseconds: the Azure CLI takes seconds to start. */
export const OPERATOR_TOKEN_MS = 60_000;

/** Options that apply the limits to a client of any Azure SDK, in place of its own retries. */
export function callOptions(limits: CallLimits): {
  httpClient: HttpClient;
  retryOptions: { maxRetries: number };
  additionalPolicies: { policy: PipelinePolicy; position: 'perCall' }[];
} {
  const { requestMs, writeMs = requestMs } = limits;

  return {
    httpClient: deadlineHttp((request) => (isRead(request) ? requestMs : writeMs)),
    retryOptions: { maxRetries: 0 },
    additionalPolicies: [
      { policy: repeatReads(limits), position: 'perCall' },
      { policy: FAILURE_BODIES, position: 'perCall' },
    ],
  };
}

/**
 * Newer SDKs expect an error in the body of every failure. If a gateway answers with an empty body or an HTML page,
 * they throw a TypeError, which would hide throttling.
 */
const FAILURE_BODIES: PipelinePolicy = {
  name: 'failureBodies',
  async sendRequest(request, next) {
    const response = await next(request);
    const { status, bodyAsText } = response;
    if (status >= 400 && !response.readableStreamBody && !hasError(bodyAsText)) {
      response.bodyAsText = JSON.stringify({ error: { code: '', message: bodyAsText ?? '', details: [] } });
    }
    return response;
  },
};

function hasError(text: string | null | undefined): boolean {
  const body = parseJson(text ?? '') as { readonly error?: unknown } | null | undefined;
  return typeof body?.error === 'object' && body.error !== null;
}

/** First pause before a retry, in milliseconds; each further pause doubles. */
const PAUSE_MS = 200;

/**
 * Retries reads after failures that may pass, in place of the SDKs' own retries. Those sleep for the full `Retry-After`
 * (up to five minutes), never retry a hanging request, and do retry writes: a rotation whose answer is lost would
 * become two rotations.
 */
function repeatReads(limits: CallLimits): PipelinePolicy {
  const { repeats, only = /./ } = limits;

  return {
    name: 'repeatReads',
    async sendRequest(request, next) {
      const most = only.test(request.url) ? repeats : 0;
      let hangs = 0;
      for (let done = 0; ; done += 1) {
        let response: PipelineResponse | undefined;

        /** An error, or an answer in the form of an error: `describeFailure` reads both. */
        let failed: unknown;
        try {
          response = await next(request);
          failed = { statusCode: response.status, response };
        } catch (error) {
          failed = error;
        }

        if (failed instanceof DeadlineError) hangs += 1;

        const isRepeatable = isRead(request) || (limits.refusedWrites === true && response?.status === 429);
        const pause = done < most && isRepeatable ? pauseAfter(failed, done, hangs, limits) : undefined;
        if (pause !== undefined && !request.abortSignal?.aborted) await wait(pause, request.abortSignal);
        else if (response) return response;
        else throw failed;
      }
    },
  };
}

const isRead = ({ method }: PipelineRequest): boolean => method === 'GET' || method === 'HEAD';

/** Waits until the time is up or the signal aborts, since a service may request five minutes. */
function wait(ms: number, outer: PipelineRequest['abortSignal']): Promise<boolean> {
  // Only the timeout or the abort ends the wait.
  const never = new Promise(() => {});
  return abortAfter((signal) => untilAborted(never, signal), ms, asSignal(outer));
}

/** Milliseconds until the next attempt; undefined: no further attempt. */
function pauseAfter(
  failed: unknown,
  repeated: number,
  hangs: number,
  { longestWaitMs, onceMoreAfterHang = false, onWait }: CallLimits,
): number | undefined {
  if (hangs > (onceMoreAfterHang ? 1 : 0)) return undefined;

  const { kind, retryAfterSeconds } = describeFailure(failed);
  const backoffMs = PAUSE_MS * 2 ** repeated;
  if (kind === 'unavailable') return backoffMs;
  if (kind !== 'throttled' || longestWaitMs === 0) return undefined;

  // Some services answer `Retry-After: 0` and still throttle the retry.
  const ms = Math.min(Math.max((retryAfterSeconds ?? 1) * 1000, backoffMs), longestWaitMs);

  onWait?.(ms);

  return ms;
}

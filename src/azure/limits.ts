import type {
  HttpClient,
  PipelinePolicy,
  PipelineRequest,
  PipelineResponse,
  SendRequest,
} from '@azure/core-rest-pipeline';
import { parseJson } from '../text.ts';
import { DeadlineError, deadlineHttp } from './deadline.ts';
import { describeFailure } from './failure.ts';

/** How long a call to Azure may take, and how often a read is asked for again. */
export interface CallLimits extends Repetition {
  /** Longest time for one request (a page of a list is one), in milliseconds. */
  readonly requestMs: number;
  /** The same for one that writes; that of every request when left out. */
  readonly writeMs?: number;
  /**
   * Longest time for all of a write whose end others wait for, in milliseconds: with its token, and being sent again with
   * another one, as an answer may ask for (continuous access evaluation). None when left out.
   */
  readonly wholeWriteMs?: number;
}

/** Requests that one use-case has in flight at most. */
export const CONCURRENCY = 8;

const RESOURCE_MANAGER = { requestMs: 15_000, repeats: 2, longestWaitMs: 0 };

export const LIMITS = {
  /**
   * A person waits, and one request that hangs must not hold up the others. A version list goes on after a page that hung,
   * the caller repeats everything else.
   */
  breakGlass: {
    requestMs: 3_000,
    repeats: 1,
    onceMoreAfterHang: true,
    longestWaitMs: 1_000,
    only: /^https:\/\/[^/]+\/keys\/[^/]+\/versions\?/,
  },
  /** Key Vault answers in well under a second; what takes longer goes back to the queue, and so does Retry-After. */
  keyWork: { requestMs: 12_000, wholeWriteMs: 20_000, repeats: 2, onceMoreAfterHang: true, longestWaitMs: 0 },
  /** Who has a role in a Managed HSM: it answers few such calls a second, and may ask to wait. */
  localRoles: { requestMs: 12_000, repeats: 2, longestWaitMs: 5_000 },
  /** An operator at a keyboard waits for a throttled service rather than start again; keys in hardware take a while. */
  operator: { requestMs: 60_000, repeats: 3, longestWaitMs: 10_000 },
  /**
   * Azure Resource Manager, where the command line asks. A command about many accounts needs more than Storage gives in five
   * minutes (800 reads for a subscription and region), and other callers may have used them up for one account too: the operator
   * waits for as long as the service says.
   */
  commandLine: { ...RESOURCE_MANAGER, writeMs: 60_000, repeats: 4, longestWaitMs: 300_000, refusedWrites: true },
  /** Reads of Azure Resource Manager, and its writes without measurements. */
  resourceManager: { ...RESOURCE_MANAGER, writeMs: 60_000 },
  /**
   * An account or a scope: a PATCH took up to 36 s (recordings of the real service). Reads are not repeated: a message that
   * goes back to the queue costs nothing while it waits.
   */
  storageManagement: { ...RESOURCE_MANAGER, repeats: 0, writeMs: 60_000, wholeWriteMs: 60_000 },
  /** Asked while a person waits for the blast radius. */
  resourceGraph: { ...RESOURCE_MANAGER, repeats: 1 },
  /** A query over months of logs takes long, and no version is retired without its answer. */
  logAnalytics: { requestMs: 60_000, repeats: 0, longestWaitMs: 0 },
  /** A cache in the app's own storage: if it does not answer soon, the caller goes on without it. */
  ownTables: { requestMs: 3_000, repeats: 1, longestWaitMs: 500 },
} as const satisfies Record<string, CallLimits>;

/**
 * The app's own storage, for one request with its two or three tries: it is near and answers in milliseconds, and a report
 * can be megabytes. Milliseconds.
 */
export const OWN_STORAGE_MS = 10_000;

/** A token, for the app: its endpoint is on the machine. Milliseconds. */
export const APP_TOKEN_MS = 5_000;

/** A token, for an operator: the Azure CLI takes seconds to start. Milliseconds. */
export const OPERATOR_TOKEN_MS = 60_000;

/** The options by which any client of an Azure SDK keeps to the limits, in the place of its own retries. */
export function callOptions(limits: CallLimits): {
  httpClient: HttpClient;
  retryOptions: { maxRetries: number };
  additionalPolicies: { policy: PipelinePolicy; position: 'perCall' }[];
} {
  const { requestMs, writeMs = requestMs } = limits;
  return {
    httpClient: deadlineHttp((method) => (method === 'GET' || method === 'HEAD' ? requestMs : writeMs)),
    retryOptions: { maxRetries: 0 },
    additionalPolicies: [
      { policy: repeatReads(limits), position: 'perCall' },
      { policy: FAILURE_BODIES, position: 'perCall' },
    ],
  };
}

/**
 * The newer SDKs expect an error in the body of every failure, and throw a TypeError in its place when a gateway answered
 * with nothing, or with a page: throttling would not be known for what it is.
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

interface Repetition {
  readonly repeats: number;
  /**
   * Longest pause that a service's Retry-After is given, in milliseconds. Zero: what is throttled is not asked for again,
   * and the caller hears when to come back.
   */
  readonly longestWaitMs: number;
  /** Whether a write is asked for again that was refused with 429, by which nothing was done. */
  readonly refusedWrites?: boolean;
  /** Called before each pause for a throttling service, with its milliseconds. */
  readonly onWait?: (ms: number) => void;
  readonly onceMoreAfterHang?: boolean;
  /** The URLs that are asked for again; all of them when left out. */
  readonly only?: RegExp;
}

/** The first pause after a failure that may pass; each further one is twice as long. Milliseconds. */
const PAUSE_MS = 200;

/**
 * Asks again for what failed in a way that may pass. It takes the place of the SDKs' own retries, which sleep as long as
 * Retry-After says (five minutes, if it says so), never repeat what hung, and do repeat writes: a rotation whose answer is
 * lost would be two rotations.
 */
function repeatReads(repetition: Repetition): PipelinePolicy {
  const { repeats, only = /./ } = repetition;
  return {
    name: 'repeatReads',
    async sendRequest(request, next) {
      const most = only.test(request.url) ? repeats : 0;
      let hangs = 0;
      for (let done = 0; ; done += 1) {
        const outcome = await attempt(request, next);
        if (outcome.failed instanceof DeadlineError) hangs += 1;
        const isMeant = isRead(request) || (repetition.refusedWrites === true && isRefused(outcome.failed));
        const pause = done < most && isMeant ? pauseAfter(outcome.failed, done, hangs, repetition) : undefined;
        if (pause !== undefined && !request.abortSignal?.aborted) await wait(pause, request.abortSignal);
        else if ('response' in outcome) return outcome.response;
        else throw outcome.failed;
      }
    },
  };
}

const isRead = ({ method }: PipelineRequest): boolean => method === 'GET' || method === 'HEAD';
const isRefused = (failed: unknown): boolean => (failed as { statusCode?: unknown } | undefined)?.statusCode === 429;

/** Waits, and ends with the signal: a service may ask for five minutes. */
function wait(ms: number, signal: PipelineRequest['abortSignal']): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end);
  });
}

/** How long to wait before the next attempt, in milliseconds; undefined when there is to be none. */
function pauseAfter(
  failed: unknown,
  repeated: number,
  hangs: number,
  { longestWaitMs, onceMoreAfterHang = false, onWait }: Repetition,
): number | undefined {
  if (hangs > (onceMoreAfterHang ? 1 : 0)) return undefined;
  const { kind, retryAfterSeconds } = describeFailure(failed);
  const backoffMs = PAUSE_MS * 2 ** repeated;
  if (kind === 'unavailable') return backoffMs;
  if (kind !== 'throttled' || longestWaitMs === 0) return undefined;
  // Some say "0 s" and refuse all the same.
  const ms = Math.min(Math.max((retryAfterSeconds ?? 1) * 1000, backoffMs), longestWaitMs);
  onWait?.(ms);
  return ms;
}

async function attempt(
  request: PipelineRequest,
  next: SendRequest,
): Promise<{ readonly failed: unknown; readonly response: PipelineResponse } | { readonly failed: unknown }> {
  try {
    const response = await next(request);
    return { failed: { statusCode: response.status, response }, response };
  } catch (error) {
    return { failed: error };
  }
}

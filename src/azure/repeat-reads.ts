import type { PipelinePolicy, PipelineRequest, PipelineResponse, SendRequest } from '@azure/core-rest-pipeline';
import { DeadlineError } from './deadline.ts';
import { describeFailure } from './failure.ts';

export interface Repetition {
  readonly repeats: number;
  /**
   * Longest pause that a service's Retry-After is given, in milliseconds. Zero: what is throttled is not asked for again,
   * and the caller hears when to come back.
   */
  readonly longestWaitMs: number;
  /** Whether a write is asked for again that was refused with 429, by which nothing was done. */
  readonly refusedWrites?: boolean;
  /** Told before each pause that a throttling service is given, in milliseconds. */
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
export function repeatReads(repetition: Repetition): PipelinePolicy {
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

/** Waits, and no longer than somebody else does: a service may ask for five minutes. */
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

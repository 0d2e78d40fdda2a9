import { createContext } from 'preact';
import { useContext, useEffect, useRef, useState } from 'preact/hooks';
import { SessionEnded } from '../session.ts';
import { type Api, type Problem, ProblemError, toProblem } from './client.ts';

/** The API client of the signed-in user. */
export const ApiContext = createContext<Api | undefined>(undefined);

export function useApi(): Api {
  const api = useContext(ApiContext);
  if (!api) throw new Error('A view needs a signed-in user.');
  return api;
}

/** The latest answer of a path that the page polls. */
export interface Polled<T> {
  /** The latest data, whatever its age. */
  readonly data: T | undefined;
  /** When the data was read, or last found unchanged. */
  readonly readOn: Date | undefined;
  /** When the latest request began. The data includes all earlier changes, and perhaps later ones. */
  readonly askedOn: Date | undefined;
  /** Why the latest request failed; undefined if it succeeded. */
  readonly problem: Problem | undefined;
  readonly everyMs: number;
  readonly refresh: () => void;
}

interface Kept {
  readonly data: unknown;
  readonly etag: string | undefined;
  readonly askedOn: Date;
  readonly readOn: Date;
  /** The pages of a list, if all of it was read. */
  readonly pages?: readonly unknown[];
}

/** Options of a poll. Pass the same object each time: a new object restarts the poll. */
export interface PollHow<T> {
  /** Whether to read all pages of a list. */
  readonly isAll?: boolean;
  /** Combines an answer, which may be a part, with the data before; `answer` undefined: unchanged (304). */
  readonly merge?: (before: T | undefined, answer: unknown, at: Date) => T;
  /** Whether a part of the data is still being read, so that the next request follows soon. */
  readonly isUnsettled?: (data: T) => boolean;
}

/** Reads all pages of a list. */
export const WHOLE_LIST = { isAll: true };
const PLAIN = {};

interface Asked {
  readonly path: string;
  readonly how: PollHow<unknown>;
}

/**
 * The latest data by path, so that a view shows it at once when the user returns to it. Each client has its own, so
 * that no user sees a late answer to the previous user. It lasts as long as the page.
 */
const keptBy = new WeakMap<Api, Map<string, Kept>>();
const MOST_KEPT = 200;

function keptOf(api: Api): Map<string, Kept> {
  const kept = keptBy.get(api) ?? new Map<string, Kept>();
  keptBy.set(api, kept);
  return kept;
}

/** Reads everything again, after a view failed on its data. */
export function forgetAll(api: Api): void {
  keptBy.delete(api);
}

/** A request that takes longer counts as failed. Milliseconds. */
const LIMIT_MS = 75_000;
/** Delay while the app still reads a part; its answer has waited for that part too. Milliseconds. */
const SOON_MS = 1_000;

/**
 * Polls a path. It sends the ETag, so that unchanged data is not sent again, and pauses while the page is hidden.
 *
 * @param path below `/api`; undefined: no requests
 * @param everyMs from the end of an answer to the next request
 */
export function usePoll<T>(path: string | undefined, everyMs: number, how: PollHow<T> = PLAIN): Polled<T> {
  const api = useApi();
  const [, redraw] = useState(0);
  const [problem, setProblem] = useState<{ readonly path: string; readonly problem: Problem }>();
  const again = useRef<() => void>(() => undefined);

  useEffect(() => {
    if (path === undefined) return;
    const poll = startPoll(api, { path, how: how as PollHow<unknown> }, everyMs, (found) => {
      setProblem(found && { path, problem: found });
      redraw((count) => count + 1);
    });
    again.current = poll.now;
    return poll.stop;
  }, [api, path, everyMs, how]);

  const known = path === undefined ? undefined : keptOf(api).get(how.isAll ? wholeOf(path) : path);

  return {
    data: known?.data as T | undefined,
    readOn: known?.readOn,
    askedOn: known?.askedOn,
    problem: problem?.path === path ? problem?.problem : undefined,
    everyMs,
    refresh: () => again.current(),
  };
}

function startPoll(api: Api, asked: Asked, everyMs: number, ended: (problem: Problem | undefined) => void) {
  const stopped = new AbortController();
  let timer = 0;
  let running = false;
  let isWanted = false;
  const ask = async (): Promise<void> => {
    if (running || stopped.signal.aborted || document.hidden) return;

    running = true;
    isWanted = false;
    window.clearTimeout(timer);

    let nextMs = everyMs;
    try {
      const data = await read(api, asked, stopped.signal);
      if (asked.how.isUnsettled?.(data)) nextMs = SOON_MS;
      ended(undefined);
    } catch (error) {
      if (stopped.signal.aborted) return;

      // The page itself shows that the session ended. Polling starts again after the next sign-in.
      if (!(error instanceof SessionEnded)) ended(toProblem(error));

      // Poll rarely if the API refuses the user or the path, and often if it is down, since it may be back soon.
      const isRefused = error instanceof ProblemError && error.problem.status >= 400 && error.problem.status < 500;
      nextMs = Math.max(everyMs, isRefused ? 30_000 : 5_000);
    } finally {
      running = false;
      if (!stopped.signal.aborted) timer = window.setTimeout(ask, isWanted ? 0 : nextMs);
    }
  };

  const shown = () => ask();

  document.addEventListener('visibilitychange', shown);

  const unheard = api.whenSignedIn(shown);

  ask();

  return {
    now: () => {
      // A request in flight may miss the latest change.
      isWanted = running;
      ask();
    },
    stop: () => {
      stopped.abort();
      window.clearTimeout(timer);
      unheard();
      document.removeEventListener('visibilitychange', shown);
    },
  };
}

/** A page of a list has the link to the next one. */
interface Page {
  readonly value?: readonly unknown[];
  readonly nextLink?: string;
}

/** Reads a path, and all further pages of a list if `isAll`. */
async function read(api: Api, { path, how }: Asked, signal: AbortSignal): Promise<unknown> {
  const askedOn = new Date();
  const first = await readPage(api, path, signal, how.merge);
  if (!how.isAll || signal.aborted) return first;

  const pages = [first];
  for (let next = nextOf(first); next && !signal.aborted; next = nextOf(pages.at(-1) ?? first)) {
    pages.push(await readPage(api, next, signal));
  }

  const before = keptOf(api).get(wholeOf(path));
  const isSame = pages.length === before?.pages?.length && pages.every((page, index) => page === before.pages?.[index]);
  const { nextLink: _, ...rest } = first as Page;
  const whole = { ...rest, value: pages.flatMap((page) => (page as Page).value ?? []) };
  const data = isSame ? before?.data : whole;
  if (!signal.aborted) keep(api, wholeOf(path), { data, pages, etag: undefined, askedOn, readOn: new Date() });

  return data;
}

const wholeOf = (path: string): string => `${path} whole`;
const nextOf = (page: unknown): string | undefined => (page as Page).nextLink?.replace(/^\/api/, '');

async function readPage(
  api: Api,
  path: string,
  signal: AbortSignal,
  merge?: PollHow<unknown>['merge'],
): Promise<unknown> {
  const before = keptOf(api).get(path);
  const askedOn = new Date();
  const answer = await api.get<unknown>(`/api${path}`, { etag: before?.etag, signal, limitMs: LIMIT_MS });
  const readOn = new Date();
  const newest = answer.status === 304 ? before?.data : answer.body;
  const data = merge ? merge(before?.data, answer.body, readOn) : newest;
  if (!signal.aborted) keep(api, path, { data, etag: answer.etag, askedOn, readOn });

  return data;
}

function keep(api: Api, path: string, what: Kept): void {
  const kept = keptOf(api);
  kept.delete(path);
  kept.set(path, what);
  const [oldest] = kept.keys();
  if (kept.size > MOST_KEPT && oldest !== undefined) kept.delete(oldest);
}
